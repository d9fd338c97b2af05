"""Every file, folder and module of ours that a page names is there."""

import pkgutil
import re

import pytest

from mohlcv_dagster_tests.docs.blocks import PAGES, REPOSITORY, blocks

PACKAGE = REPOSITORY / "mohlcv_dagster"
ROOTS = {"mohlcv_dagster", "mohlcv_dagster_tests", "benchmarks", "docs", ".ci"}
FOLDERS = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
ELSEWHERE = {
    "docs/_site": "the site, once it is built",
    "mohlcv_dagster/defs/my_asset.py": "what a command of docs/downstream.md makes",
    "scripts/": "the original scripts, in a project of their own",
}
"""How paths begin that look like ours and are not there, and why."""

_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?<![\w./$-])(?:[\w.-]+/)*[\w-]+\.py\b|(?<![\w./$-])(?:[\w.-]+/)+(?:[\w.-]*\w)?")
_MODULE = re.compile(r"(?<![\w./-])(?:mohlcv_dagster(?:_tests)?|benchmarks)(?:\.\w+)+")
_PAGE = re.compile(r"(?<![\w./-])docs/[\w-]+\.md")


def named(text):
    """The paths and modules of ours in the backticks of a text, and the pages that it names in any way."""
    for span in _SPAN.findall(text):
        for path in _PATH.findall(span):
            if path.endswith(".py") or path.partition("/")[0] in ROOTS | FOLDERS:
                yield path
        yield from _MODULE.findall(span)
    yield from _PAGE.findall(text)


def is_there(name):
    """Whether a path (from the root, within the package, or of a file alone) or a dotted name exists."""
    if _MODULE.fullmatch(name):
        return _is_module(name)
    if "/" not in name:
        return any(True for root in ("mohlcv_dagster", "mohlcv_dagster_tests", "docs") for _ in _found(root, name))
    return (REPOSITORY / name).exists() or (PACKAGE / name).exists()


def _found(root, name):
    return (REPOSITORY / root).rglob(name)


def _is_module(name):
    try:
        return bool(pkgutil.resolve_name(name))
    except (ImportError, AttributeError):
        return False


def prose(page):
    """A page without its blocks, which other tests run."""
    text = page.read_text(encoding="utf-8")
    for block in blocks(page):
        text = text.replace(block.text, "")
    return text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_every_file_and_module_that_a_page_names_is_there(page):
    assert [name for name in named(prose(page)) if not is_there(name) and not name.startswith(tuple(ELSEWHERE))] == []


def test_every_exception_is_still_needed():
    every = {name for page in PAGES for name in named(prose(page))}

    assert [each for each in ELSEWHERE if not any(name.startswith(each) for name in every)] == []


def test_the_pages_name_files_in_each_of_these_ways():
    every = {name for page in PAGES for name in named(prose(page))}

    assert every >= {"checks/rule.py", "mohlcv_dagster_tests/checks/", "mohlcv_dagster/settings.py", "docs/faults.md"}
    assert any(_MODULE.fullmatch(name) for name in every)


@pytest.mark.parametrize(
    "name",
    [
        "checks/nowhere.py",
        "nowhere.py",
        "mohlcv_dagster/nowhere/",
        "defs/nowhere",
        "docs/nowhere.md",
        "mohlcv_dagster.nowhere",
        "mohlcv_dagster.checks.runner.nowhere",
        "mohlcv_dagster.nowhere.at.all",
    ],
)
def test_one_that_is_not_there_would_be_found(name):
    assert list(named(f"See `{name}`.")) in ([name], [name] * 2)
    assert not is_there(name)


@pytest.mark.parametrize("text", ["`raw_1s/SPY`", "`mohlcv/force`", "`data/raw_1s`", "`s3://bucket/bars`", "a/b.py"])
def test_what_is_not_ours_is_not_looked_for(text):
    assert list(named(text)) == []
