"""The site builds without a warning, a broken link fails the build, and pages load nothing from elsewhere."""

import re
import shutil
import subprocess
import sys

import pytest

from mohlcv_dagster_tests.docs.blocks import REPOSITORY

for tool in ("furo", "sphinx_copybutton"):
    pytest.importorskip(tool, reason="the site's tools are not installed: uv sync --group docs")
pytestmark = pytest.mark.slow

STRICTLY = ["-W", "--keep-going", "-n", "-E", "-q"]


def build(source, site):
    """Build the site; exit code and warnings."""
    words = [sys.executable, "-m", "sphinx", *STRICTLY, str(source), str(site)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=source)
    return done.returncode, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    built = tmp_path_factory.mktemp("site")
    code, warned = build(REPOSITORY / "docs", built)
    assert (code, warned) == (0, "")
    return built


def test_every_page_is_built_and_reached_from_the_first(site):
    pages = {page.stem for page in (REPOSITORY / "docs").glob("*.md")}
    first = (site / "index.html").read_text(encoding="utf-8")
    listed = set(re.findall(r'class="toctree-l1"><a class="reference internal" href="([\w-]+)\.html"', first))

    assert {page.stem for page in site.glob("*.html")} >= pages
    assert listed == pages - {"index"}


def test_nothing_on_a_page_is_loaded_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*\bhref="(?:https?:)?//"""
    )
    brings = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""")
    pages, sheets = list(site.rglob("*.html")), list(site.rglob("*.css"))

    assert pages
    assert sheets
    assert [page.name for page in pages if loads.search(page.read_text(encoding="utf-8"))] == []
    assert [sheet.name for sheet in sheets if brings.search(sheet.read_text(encoding="utf-8"))] == []


def test_each_block_of_code_has_a_button_that_copies_it(site):
    pages = [page.read_text(encoding="utf-8") for page in site.glob("*.html")]
    script = (site / "_static/copybutton.js").read_text(encoding="utf-8")

    assert "div.highlight pre" in script
    assert [page for page in pages if "_static/copybutton.js" not in page] == []


def test_the_format_is_the_archives_own_page_and_not_a_copy(site):
    told = (site / "format.html").read_text(encoding="utf-8")

    assert "```{include} ../data/README.md" in (REPOSITORY / "docs/format.md").read_text(encoding="utf-8")
    assert "Every bar of the file starts inside" in told


@pytest.mark.parametrize(
    ("broken", "warning"),
    [
        ("[away](nowhere.md)", "cross-reference target not found: 'nowhere.md'"),
        ("[below](index.md#nowhere)", "local id not found in doc 'index': 'nowhere'"),
        ("![no picture](pictures/none.png)", "image file not readable: pictures/none.png"),
    ],
)
def test_a_broken_link_fails_the_build(broken, warning, tmp_path):
    source = tmp_path / "docs"
    shutil.copytree(REPOSITORY / "docs/static", source / "static")
    shutil.copy(REPOSITORY / "docs/conf.py", source)
    (source / "index.md").write_text(f"# A page\n\n{broken}\n", encoding="utf-8")
    code, warned = build(source, tmp_path / "site")

    assert code == 1
    assert warning in warned
