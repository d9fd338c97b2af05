"""The Python, SQL and commands of the pages are run, against the sandbox."""

import re

import dagster as dg
import duckdb
import pytest

from mohlcv_dagster.cli import COMMANDS
from mohlcv_dagster.providers.massive.plans import FIRST_DAY, PLANS
from mohlcv_dagster_tests.docs.blocks import COMMAND, PAGES, blocks, commands

NOT_HERE = {
    "stores.md": "test_stores.py runs it against an S3 of its own",
    "CONTRIBUTING.md": "test_recipes.py applies its lines to a copy",
}
"""Pages whose Python is run elsewhere."""

NOT_RUN = {
    ("demo",): "cli/test_demo.py runs it, to the end and into a fault",
    ("up",): "serves until Ctrl-C; defs/test_dagster_dev.py and the browser tests run it",
    ("sandbox",): "serves until Ctrl-C; cli/test_command.py runs it",
    ("metrics",): "serves until Ctrl-C; cli/test_metrics.py runs it",
    ("resample", "--symbol", "SPY", "--input-dir"): "folders of the reader's",
    ("history", "SPY", "2024-01", "--as-of"): "nothing was stored then; cli/test_history.py runs it",
    (
        "symbols",
        "remove",
        "QQQ",
    ): "once removed it is gone; docs/test_remove_and_back_up.py and cli/test_symbols.py run it",
    ("symbols", "remove", "BRK.B|x"): "the UI adds it, no command does; cli/test_storage_diagnostics.py runs it",
    ("verify", "/mnt/backup/data"): "a place of the reader's",
    ("verify", "s3://bucket/bars"): "as above",
}
"""Commands that are only parsed, by how they begin, and why."""

RUNS_ITSELF = {"python", "sql"}
IN_PYTHON = [page for page in PAGES if any(block.language in RUNS_ITSELF for block in blocks(page))]
RUN = [
    command
    for page in PAGES
    for block in blocks(page)
    if block.language == "bash"
    for command in commands(block)
    if command.words[0] == COMMAND
]


def is_left_out(command):
    return any(command.words[1 : 1 + len(beginning)] == beginning for beginning in NOT_RUN)


EACH = [
    block for page in IN_PYTHON if page.name not in NOT_HERE for block in blocks(page) if block.language in RUNS_ITSELF
]


@pytest.mark.parametrize("block", EACH, ids=str)
def test_the_python_and_the_sql_of_a_block_run_alone(block, project):
    with project.entered():
        if block.language == "sql":
            assert duckdb.sql(block.text).fetchall()
        else:
            code = compile("\n" * block.line + block.text, str(block.page), "exec")  # a traceback names the page's line
            exec(code, {"__name__": block.page.stem})  # noqa: S102 - our own page


@pytest.mark.slow
@pytest.mark.timeout(600)  # some forty months are fetched
def test_every_command_of_the_pages_succeeds_in_their_order(project):
    ended = {str(command): project.call(command.words) for command in RUN if not is_left_out(command)}

    assert {command: code for command, code in ended.items() if code != 0} == {}
    assert len(ended) > 5


def test_every_reason_for_leaving_one_out_is_still_needed():
    shown = {command.words[1 : 1 + len(beginning)] for command in RUN for beginning in NOT_RUN}

    assert {beginning for beginning in NOT_RUN if beginning[0] in COMMANDS} <= shown
    assert set(NOT_HERE) <= {page.name for page in IN_PYTHON}


def test_the_asset_of_ones_own_that_is_shown_joins_the_graph(project):
    names = {}
    page = next(page for page in IN_PYTHON if page.name == "read.md")
    with project.entered():
        for block in blocks(page):
            if block.language == "python" and "dg." in block.text:
                exec(block.text, names)  # noqa: S102 - our own page

    graph = names["defs"].resolve_asset_graph()
    assert graph.get(dg.AssetKey("daily_range")).parent_keys == {dg.AssetKey("raw_1s")}


def test_the_plans_of_the_backfill_page_are_those_of_the_code():
    page = next(page for page in PAGES if page.name == "backfill.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| Stocks (\w+) \| (yes|no) \| (.+) \|$", page, re.MULTILINE)
    years = {2: "two years", 5: "five years", 10: "ten years", None: f"to {FIRST_DAY}"}

    assert told == [(plan.name, "yes" if plan.seconds else "no", years[plan.years]) for plan in PLANS]
