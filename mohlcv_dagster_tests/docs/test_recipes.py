"""Each recipe of CONTRIBUTING is carried out on a copy of the project, as it stands there, and the result works."""

import importlib.util
import os
import subprocess
import sys

import pytest

from mohlcv_dagster_tests.docs.blocks import Block, commands
from mohlcv_dagster_tests.docs.recipes import PAGE, Edit, copy, recipes

pytestmark = pytest.mark.slow

EXCEPT = "mohlcv_dagster_tests/checks/test_rules.py::test_every_rule_of_the_package_is_in_the_registry_once"
"""It counts the rules: the number changes with each that is added to the project."""
PROVEN = {
    "A new rule": ["checks/test_rules.py", "checks/test_registry.py", "--deselect", EXCEPT],
    "A new timeframe": [],
    "A new provider fault": [],
    "A new setting": ["test_settings_page.py", "test_settings.py", "test_readme.py", "-k", "setting"],
    "A new store": [],
}
"""The recipes that have blocks, and which of the project's own tests must pass on the copy, besides the proof."""


@pytest.fixture
def copied(tmp_path):
    copy(tmp_path)
    return tmp_path


def run(root, *words):
    """Run a module of the copy with its own code; what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def edits(name):
    return [edit for edit in map(Edit.of, recipes()[name]) if edit]


@pytest.mark.parametrize("name", PROVEN)
def test_a_recipe_carried_out_as_it_stands_works(name, copied):
    for edit in edits(name):
        edit.apply(copied)
    changed = sorted({edit.path for edit in edits(name) if edit.path.endswith(".py")})

    tests = [f"mohlcv_dagster_tests/{word}" if word.endswith(".py") else word for word in PROVEN[name]]
    proof = name.lower().removeprefix("a ").replace(" ", "_")
    said = run(copied, "mohlcv_dagster_tests.docs.recipe_proofs", proof, *tests)
    assert (" passed" in said) == bool(tests)
    if changed:
        run(copied, "ruff", "check", "--quiet", "--no-cache", *changed)
        run(copied, "ruff", "format", "--check", "--quiet", "--no-cache", *changed)


def test_every_recipe_with_blocks_is_carried_out():
    assert list(recipes()) == list(PROVEN)


@pytest.mark.parametrize("name", PROVEN)
def test_every_block_of_a_recipe_says_where_it_goes_or_is_a_command_that_exists(name):
    for block in recipes()[name]:
        if block.language != "bash":
            assert Edit.of(block), block
        for command in commands(block) if block.language == "bash" else ():
            assert command.words[0] == "mohlcv" or importlib.util.find_spec(command.words[2])


def edit(first, text="new\n"):
    return Edit.of(Block(PAGE, 1, "python", f"# {first}\n{text}"))


@pytest.mark.parametrize(
    ("first", "after"),
    [
        ("a.py, at the end", "one = 1\n    two,\nthree\n    two,\nnew\n"),
        ("a.py, before `one = …`", "new\none = 1\n    two,\nthree\n    two,\n"),
        ("a.py, after each `two,`", "one = 1\n    two,\nnew\nthree\n    two,\nnew\n"),
        ("a.py, in place of ``three``", "one = 1\n    two,\nnew\n    two,\n"),
    ],
)
def test_lines_go_where_the_first_one_says(first, after, tmp_path):
    (tmp_path / "a.py").write_text("one = 1\n    two,\nthree\n    two,\n")
    edit(first).apply(tmp_path)

    assert (tmp_path / "a.py").read_text() == after


@pytest.mark.parametrize("first", ["a.py, after `two,`", "a.py, after `four`", "b.py, at the end", "a.py, a new file"])
def test_a_place_that_is_not_there_or_not_the_only_one_is_an_error(first, tmp_path):
    (tmp_path / "a.py").write_text("one = 1\n    two,\nthree\n    two,\n")

    with pytest.raises(AssertionError, match=r"CONTRIBUTING\.md:1: "):
        edit(first).apply(tmp_path)


def test_a_block_whose_first_line_is_no_place_is_no_edit():
    assert [edit(first) for first in ("a.py", "a.py, somewhere", "a.py, after two,")] == [None] * 3
