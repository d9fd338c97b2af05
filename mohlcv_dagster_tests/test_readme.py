"""What the README names exists, what it shows works; links of all pages lead somewhere."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mohlcv_dagster.cli import COMMANDS
from mohlcv_dagster.settings import SETTINGS

REPOSITORY = Path(__file__).parents[1]
PAGES = [
    REPOSITORY / "README.md",
    *sorted((REPOSITORY / "docs").glob("*.md")),
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "data/README.md",
]
README = PAGES[0].read_text(encoding="utf-8")


def test_the_two_commands_are_on_the_first_screen():
    first_screen = README.splitlines()[:20]

    assert any(line.startswith("uv run mohlcv demo") for line in first_screen)
    assert any(line.startswith("uv run pytest") for line in first_screen)


def test_the_call_that_reads_is_on_the_first_screen():
    assert "`mohlcv_dagster.read(" in "\n".join(README.splitlines()[:20])


def test_the_settings_are_those_of_the_code():
    told = re.findall(r"^\| `([A-Z_]+)` \| (.*?) \| (.*) \|$", README, re.MULTILINE)

    assert told == [
        (setting.variable, f"`{setting.default}`" if setting.default else "", setting.meaning) for setting in SETTINGS
    ]


def test_every_command_it_calls_exists():
    called = set(re.findall(r"(?:uv run |`)mohlcv ([a-z]+)", README))

    assert called <= set(COMMANDS)
    assert called >= {"demo", "up", "fetch", "symbols"}


def anchors(page):
    """The anchors of a page's headings, as GitHub makes them, and of the pages that it includes."""
    text = page.read_text(encoding="utf-8")
    included = re.findall(r"^```\{include\} (\S+)$", text, re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return set().union(*(anchors(page.parent / path) for path in included)) | {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_heading_that_exist(page):
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8"))
    targets = [(page.parent / path if path else page, anchor) for path, anchor in links]

    assert [target for target, _ in targets if not target.exists()] == []
    assert [(target.name, anchor) for target, anchor in targets if anchor and anchor not in anchors(target)] == []


def test_anchors_are_made_as_github_makes_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Faults of a file's form\n\n### `volume_type`: 2 of 3\n", encoding="utf-8")

    assert anchors(page) == {"faults-of-a-files-form", "volume_type-2-of-3"}


def test_every_picture_is_shown_by_a_page():
    named = re.compile(r"pictures/([a-z-]+\.(?:png|svg))\)")
    shown = {name for page in PAGES for name in named.findall(page.read_text(encoding="utf-8"))}

    assert {picture.name for picture in (REPOSITORY / "docs/pictures").iterdir()} == shown


def test_the_layout_lists_every_module():
    told = set(re.findall(r"^[├└]── (\w+(?:\.py|/))", README.split("## Layout")[1], re.MULTILINE))
    package = REPOSITORY / "mohlcv_dagster"
    there = {f"{path.name}/" if path.is_dir() else path.name for path in package.iterdir()}

    assert told == {name for name in there if not name.startswith("__") and name != "py.typed"}


def test_every_dependency_is_named_with_its_reason():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [text for extra in project["optional-dependencies"].values() for text in extra]
    needed = {re.match(r"[a-z0-9-]+", text)[0] for text in [*project["dependencies"], *optional]}
    table = README.split("## Dependencies")[1].split("##")[0]
    told = {name for row in re.findall(r"^\| ([a-z0-9, -]+) \|", table, re.MULTILINE) for name in row.split(", ")}

    assert told - {"package"} == needed


def test_the_frame_that_it_reads_is_in_new_york_time(tmp_path):
    folder = tmp_path / "data/raw_1s/SPY"
    folder.mkdir(parents=True)
    header = "ts_event,open,high,low,close,volume\n"
    (folder / "SPY_2024_01.csv").write_text(f"{header}2024-01-02 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n")
    (folder / "SPY_2024_02.csv").write_text(header)
    [snippet] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", f"{snippet}\nprint(eastern.index[0])"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "2024-01-02 09:30:00-05:00\n"
