"""How the site is built from the pages beside this file; what they say is theirs.

`uv run --group docs sphinx-build -W --keep-going -n -E docs docs/_site` builds it; nothing is asked of the network.
"""

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

project = "mohlcv"
project_copyright = "the authors of mohlcv"

extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["_site"]
myst_heading_anchors = 4  # the anchors that GitHub makes, so that a link holds on both
smartquotes = False  # an option is --force, not a dash

html_title = "mohlcv"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#1f5fae",
        "color-brand-content": "#1f5fae",
        "color-brand-visited": "#1f5fae",
    },
    "dark_css_variables": {
        "color-brand-primary": "#7db4f5",
        "color-brand-content": "#7db4f5",
        "color-brand-visited": "#7db4f5",
    },
}


def setup(app: Sphinx) -> None:
    """Have bars shown as they are: Pygments knows no CSV, and an unknown language is a warning."""
    app.add_lexer("csv", TextLexer)
