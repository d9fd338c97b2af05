"""`mohlcv demo`: all steps once without a key, on the sandbox, in a home and a data folder of its own."""

import time
from typing import TYPE_CHECKING, Final

import click

from mohlcv_dagster.cli.console import FAILED, OK, WARNED, json_option, open_console, print_json, show_reasons
from mohlcv_dagster.cli.dagster_home import Home, Paths, open_instance
from mohlcv_dagster.cli.up import DEFAULT_URL, landing_page
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from rich.console import Console

    from mohlcv_dagster.cli.runs import FinishedRun
    from mohlcv_dagster.storage.archive import Archive

SYMBOLS: Final = ("SPY", "QQQ")
MONTH: Final = Month(2024, 1)
_HEAD: Final = 4


@click.command("demo", short_help="Run all steps once, without a key.")
@click.option(
    "--fault", "faults", multiple=True, metavar="SPEC", help="Make the sandbox misbehave; see docs/sandbox.md."
)
@json_option
def command(faults: tuple[str, ...], *, as_json: bool) -> int:
    """Run all steps once, without a key: a local stand-in for the vendor, two symbols, one month, every check.

    Its files stay in .mohlcv/sandbox, apart from your own. Exits with 1 when a month failed.

    \b
    Examples:
      mohlcv demo
      mohlcv demo --fault bad-bar:symbol=QQQ      see a check fail
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket  # noqa: PLC0415 - not for the help text

    began = time.monotonic()
    console = open_console(stderr=as_json)
    with Sandbox(SyntheticMarket(), faults=faults) as sandbox:
        home = Home.sandboxed(project_root(), sandbox.url).prepare()
        console.print(f"The sandbox answers at {sandbox.url} instead of Massive.com.\nIts bars are synthetic.\n")
        outcomes = _materialize(home, console)
    _show_files(home, console)
    _show_checks(outcomes, console)
    # a check that does not block, such as that of a lost session, lets the run succeed, and the month is not complete
    failed = [symbol for symbol, outcome in outcomes.items() if outcome.reasons or not outcome.succeeded]
    for symbol in failed:
        show_reasons(console, f"{symbol} {MONTH}", outcomes[symbol].reasons)
    complete = f"{len(outcomes) - len(failed)} of {len(outcomes)}"
    console.print(f"\n{complete} months complete and checked, in {time.monotonic() - began:.0f} s.")
    console.print("Look at them in the Dagster UI:  uv run mohlcv up --sandbox")
    console.print(f"which shows them at              {landing_page(DEFAULT_URL)}", soft_wrap=True)
    if as_json:
        print_json({"command": "demo", "ok": not failed, "months": [_document(*each) for each in outcomes.items()]})
    return 1 if failed else 0


def _document(symbol: str, outcome: "FinishedRun") -> dict[str, object]:
    """A month for JSON."""
    checks = [{"asset": each.asset, "check": each.name, "passed": each.passed} for each in outcome.checks]
    complete = outcome.succeeded and not outcome.reasons
    return {"symbol": symbol, "month": str(MONTH), "ok": complete, "reasons": list(outcome.reasons), "checks": checks}


def _materialize(home: Home, console: "Console") -> "dict[str, FinishedRun]":
    from mohlcv_dagster.cli import runs  # noqa: PLC0415 - it takes its time to load
    from mohlcv_dagster.cli.progress_bar import Display  # noqa: PLC0415 - as above
    from mohlcv_dagster.definitions import build  # noqa: PLC0415 - as above

    settings = home.settings()
    definitions = build(settings)
    timeframes = [RAW, *settings.timeframes]
    outcomes = {}
    with open_instance() as instance:
        for symbol in SYMBOLS:
            display = Display(console, f"{symbol} {MONTH}")
            with display.status():
                raw = BarFile(symbol, RAW, MONTH)
                outcomes[symbol] = runs.materialize(definitions, instance, raw, timeframes, display)
        runs.assess(definitions, instance)
    return outcomes


def _show_files(home: Home, console: "Console") -> None:
    from rich.filesize import decimal  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.tree import Tree  # noqa: PLC0415 - as above

    archive = Paths(home.settings().data_dir).archive()
    tree = Tree(escape(str(archive.root)))
    folders: dict[str, Tree] = {}
    for file in archive.files():
        at = tree
        for depth, folder in enumerate(file.path.parts[:-1], start=1):
            at_path = "/".join(file.path.parts[:depth])
            at = folders.setdefault(at_path, folders.get(at_path) or at.add(f"{folder}/"))
        at.add(f"{file.path.name}  [dim]{decimal(archive.path(file).stat().st_size)}[/]")
    console.print("\n", tree)
    _show_head(archive, BarFile(SYMBOLS[0], RAW, MONTH), console)


def _show_head(archive: "Archive", file: BarFile, console: "Console") -> None:
    if not archive.exists(file):
        return
    console.print(f"\n[bold]{file.path}[/]")
    with archive.path(file).open("r", encoding="utf-8") as text:
        for _, line in zip(range(_HEAD), text, strict=False):
            console.print(line.rstrip("\n"), markup=False)


def _show_checks(outcomes: "dict[str, FinishedRun]", console: "Console") -> None:
    from dagster import AssetKey  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    from mohlcv_dagster.defs.partitions import timeframe_of  # noqa: PLC0415 - as above

    checks = [check for outcome in outcomes.values() for check in outcome.checks]
    names = list(dict.fromkeys(check.name for check in checks))
    assets = sorted({check.asset for check in checks}, key=lambda asset: timeframe_of(AssetKey.from_user_string(asset)))
    table = Table(title=f"Asset checks, {' and '.join(outcomes)} {MONTH}", title_justify="left")
    table.add_column("check", no_wrap=True)
    for asset in assets:
        table.add_column(asset.replace("/", "/\n"), justify="center")  # fits 80 columns
    for name in names:
        table.add_row(name, *(marks(outcomes, asset, name) for asset in assets))
    console.print()
    console.print(table)


def marks(outcomes: "dict[str, FinishedRun]", asset: str, name: str) -> str:
    """A mark for each symbol: passed, warned, failed, or nothing where the check was not reached.

    An error is a failure, blocking or not.
    """
    found = []
    for outcome in outcomes.values():
        checks = [check for check in outcome.checks if (check.asset, check.name) == (asset, name)]
        found += [OK if check.passed else FAILED if check.error else WARNED for check in checks]
    return " ".join(found)
