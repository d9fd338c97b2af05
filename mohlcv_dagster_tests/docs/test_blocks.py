"""Every fenced block of the pages is of a tested language, and every command in them is valid."""

import importlib.util
import json
import tomllib

import click
import dotenv
import pytest
import yaml

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.cli import mohlcv
from mohlcv_dagster.settings import SETTINGS
from mohlcv_dagster_tests.docs.blocks import COMMAND, PAGES, REPOSITORY, Block, blocks, commands, spans

EXECUTED = {"python", "bash", "sql"}
READ = {"ini", "yaml", "csv", "json"}
OUTPUT = {"text"}
"""What a command shows, or a tree of files."""

ELSEWHERE = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "DAGSTER_HOME",
    "DAGSTER_POSTGRES_URL",
    "POSTGRES_PASSWORD",
}
"""Variables that are not our settings: Dagster's, the store's, and those that two pages invent."""

_BACKUP = "deploy/test_backup.py runs it"
NOT_OURS = {
    ("pytest",): "this suite",
    ("bash", ".ci/run"): "it runs this suite",
    ("cp", "-a"): _BACKUP,
    ("createdb",): _BACKUP,
    ("dagster", "instance", "migrate"): "needs a database of an older version",
    ("docker",): "starts containers; deploy/test_image.py reads the files that it is given",
    ("helm",): "needs a cluster; deploy/test_helm_values.py reads the values",
    ("kubectl",): "needs a cluster",
    ("mkdir",): _BACKUP,
    ("pg_dump",): _BACKUP,
    ("pg_restore",): _BACKUP,
    ("python", "deploy/celery/worker.py"): "deploy/test_several_hosts.py starts it",
    ("rsync",): "copies to another machine",
    ("rm",): "test_remove_and_back_up.py carries out the page that has it",
    ("uv", "add"): "installs; here it is checked that the package is a tested one",
    ("uv", "build"): "test_wheel.py builds the wheel, without the network",
    ("uv", "sync"): "installs; deploy/test_image.py looks for the group",
    ("uv", "export"): "reads the lock file, which names the registry of a machine",
    ("python", "-m"): "takes minutes; here it is checked that the module exists",
    ("dagster",): "defs/test_scaffolded.py runs it in a copy of the project",
    ("dg",): "defs/test_scaffolded.py runs it in a copy of the project",
    ("sphinx-build",): "test_site.py builds the site with these words",
}
"""Commands of a block that are not `mohlcv`, by how they begin, and why they are not run."""

ALL = [block for page in PAGES for block in blocks(page)]
BASH = [command for block in ALL if block.language == "bash" for command in commands(block)]
OURS = [command for command in BASH if command.words[0] == COMMAND]
FOREIGN = [command for command in BASH if command.words[0] != COMMAND]


def of(language):
    return [block for block in ALL if block.language == language]


def kind(block):
    return "directive" if block.language.startswith("{") else block.language


def test_every_block_is_of_a_known_language_and_each_language_occurs():
    known = EXECUTED | READ | OUTPUT | {"directive"}

    assert [str(block) for block in ALL if kind(block) not in known] == []
    assert {kind(block) for block in ALL} >= {"python", "bash", "text", "ini", "yaml", "csv", "directive"}


def test_a_block_without_a_language_and_one_within_a_list_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "```\nmohlcv demo\n```\n\n1. Do\n\n   ```bash\n   mohlcv fetch \\\n     --force > all.txt\n   ```\n"
    )
    bare, listed = blocks(page)

    assert (bare.language, listed.language) == ("", "bash")
    [command] = commands(Block(REPOSITORY / "page.md", 7, "bash", listed.text))
    assert command.words == ("mohlcv", "fetch", "--force")


@pytest.fixture
def _named(tmp_path, monkeypatch):
    """The files and folders that some commands name: click checks that they exist."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watchlist.txt").write_text("SPY\n")
    for folder in ("recordings", "data/raw_1s", *(f"data/aggregated/{name}" for name in ("15s", "30s", "1min"))):
        (tmp_path / folder).mkdir(parents=True)


def parse_by_click(words):
    """Have click parse the words of a command without running it; raises where they are invalid."""
    group, rest = mohlcv, list(words[1:])
    context = click.Context(mohlcv, info_name=COMMAND, **mohlcv.context_settings)
    while isinstance(group, click.Group) and rest and not rest[0].startswith("-"):
        name, group, rest = group.resolve_command(context, rest)
        context = group.make_context(name, rest, parent=context) if not isinstance(group, click.Group) else context
    return context


@pytest.mark.usefixtures("_named")
@pytest.mark.parametrize("command", OURS, ids=str)
def test_click_understands_every_command_shown(command):
    if "--help" not in command.words:  # click would print and exit
        with parse_by_click(command.words) as context:  # closes what click opened
            assert context.command is not mohlcv or command.words[1] == "symbols"  # it lists by itself


@pytest.mark.usefixtures("_named")
@pytest.mark.parametrize(
    "line", ["mohlcv fetsh", "mohlcv fetch --start 2024-01", "mohlcv symbols list --all", "mohlcv up --port high"]
)
def test_an_invalid_command_is_found(line):
    with pytest.raises(click.UsageError):
        parse_by_click(line.split())


def test_every_option_named_in_a_sentence_is_one_of_its_command():
    unknown = []
    for command in [span for page in PAGES for span in spans(page)]:
        group, rest = mohlcv, list(command.words[1:])
        while isinstance(group, click.Group) and rest and not rest[0].startswith(("-", "…")):
            group = group.get_command(click.Context(group), rest.pop(0))
        options = {name for each in getattr(group, "params", ()) for name in each.opts} | {"--help"}
        named = [word.replace("_", "-") for word in rest if word.startswith("--")]
        unknown += [f"{command}: {word}" for word in named if word not in options]
        unknown += [str(command)] if group is None else []

    assert unknown == []


@pytest.mark.parametrize("command", FOREIGN, ids=str)
def test_a_command_that_is_not_ours_is_a_known_one_and_names_what_exists(command):
    assert any(command.words[: len(beginning)] == beginning for beginning in NOT_OURS), command
    if command.words[:2] == ("python", "-m"):
        assert importlib.util.find_spec(command.words[2]) is not None
    if command.words[:2] == ("uv", "add"):
        groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
        assert any(text.startswith(command.words[2]) for text in groups["stores"] + groups["dev"])


def test_every_reason_for_not_running_a_command_is_still_needed():
    needed = {beginning for beginning in NOT_OURS for each in FOREIGN if each.words[: len(beginning)] == beginning}

    assert needed == set(NOT_OURS)


@pytest.mark.parametrize("block", of("ini"), ids=str)
def test_a_block_for_env_sets_known_variables(block, tmp_path):
    (tmp_path / ".env").write_text(block.text)
    told = dotenv.dotenv_values(tmp_path / ".env")

    assert told
    assert set(told) <= {setting.variable for setting in SETTINGS} | ELSEWHERE
    assert all(told.values())


@pytest.mark.parametrize("block", of("csv"), ids=str)
def test_csv_is_bars_in_the_exact_form(block):
    assert csv_codec.encode(csv_codec.decode(block.text.encode())) == block.text.encode()


@pytest.mark.parametrize("block", [*of("json"), *of("yaml")], ids=str)
def test_json_and_yaml_can_be_parsed(block):
    assert json.loads(block.text) if block.language == "json" else yaml.safe_load(block.text)
