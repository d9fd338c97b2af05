"""`mohlcv validate`: check every file of a folder by the rules of the asset checks, and report."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import click
from rich.markup import escape

from mohlcv_dagster.cli.arguments import Symbol, Timeframes, split_symbols
from mohlcv_dagster.cli.console import FAILED, OK, WARNED, json_option, open_console
from mohlcv_dagster.cli.dagster_home import Home, Paths, knowledge
from mohlcv_dagster.cli.help_text import tell
from mohlcv_dagster.cli.nothing_stored import require_something
from mohlcv_dagster.errors import FileMissingError, InputError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import AGGREGATED_FOLDER, RAW_FOLDER
from mohlcv_dagster.model.timeframes import RAW, Timeframe
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from mohlcv_dagster.storage.inventory import BarFolder
    from mohlcv_dagster.storage.locations import AnyPath
    from mohlcv_dagster.validation.report import FileReport, ValidationReport

_MARKS: Final = {"ok": OK, "warn": WARNED, "error": FAILED}
_FORMATS: Final = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html"}


@click.command("validate", short_help="Check every file of a folder; write a report.")
@click.option("--input-dir", required=True, help="The folder of the files: all of one timeframe.")
@click.option(
    "--timeframe", "name", type=Timeframes(), required=True, help="Of these files: 1s for raw ones, 15s, 30s, 1min, …"
)
@click.option("--raw-data-dir", help="Raw files to compare with.  [default: raw_1s next to the folder aggregated]")
@click.option("--symbol", "symbols", type=Symbol(), multiple=True, help="Only this symbol; for more, again or SPY,QQQ.")
@click.option("--report", metavar="FILE", help="Write a report; the suffix .txt, .json or .html gives its format.")
@click.option(
    "--format", "report_format", type=click.Choice(["text", "json", "html"]), help="The format of the report."
)
@json_option
def command(  # noqa: PLR0913, PLR0917 - one argument for each option
    input_dir: str,
    name: str,
    raw_data_dir: str | None,
    symbols: tuple[str, ...],
    report: str | None,
    report_format: str | None,
    *,
    as_json: bool,
) -> int:
    """Check every file of a folder by the rules of the asset checks.

    The files may come from anywhere. They are also compared with what is recorded of them, by this project's runs or
    in manifest entries beside them; where nothing is, the rules on records are not checked, and the report notes it.
    An aggregate is compared with the raw file of its symbol and month. Nothing is changed, and neither a key nor a
    network is needed. Exits with 1 when a file has an error or the folder has no files, and with 0 when there are only
    warnings.

    \b
    Examples:
      mohlcv validate --input-dir data/aggregated/1min --timeframe 1min --raw-data-dir data/raw_1s
      mohlcv validate --input-dir data/raw_1s --timeframe 1s --symbol SPY --report raw.html
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    timeframe = timeframes.parse_any(name)
    write = _writer(report, report_format)
    made = _validated(timeframe, input_dir, raw_data_dir, split_symbols(symbols), open_console(stderr=as_json))
    if write is not None:
        write(made)
    if as_json:
        click.echo(_written(made, "json"), nl=False)
    return 1 if made.failed else 0


def _writer(name: str | None, report_format: str | None) -> "Callable[[ValidationReport], None] | None":
    """A function that writes the report, in the requested format.

    Raises:
        InputError: the format is unknown, or no file is named.
    """
    if name is None:
        if report_format is not None:
            raise InputError(f"--format {report_format} is the format of a report: name its file with --report")
        return None
    from mohlcv_dagster.storage.writable import require_output  # noqa: PLC0415 - not for the help text

    at = Path(name)
    chosen = report_format or _FORMATS.get(at.suffix.lower())
    if chosen is None:
        suffix = at.suffix or "no suffix"
        raise InputError(f"--report {name}: {suffix} is not a format; end it in .txt, .json or .html")

    require_output("--report", at)

    def write(report: "ValidationReport") -> None:
        from mohlcv_dagster.storage.archive import Archive  # noqa: PLC0415 - not for the help text

        Archive(at.parent).write_path(PurePosixPath(at.name), _written(report, chosen).encode())
        tell(f"The report is in {name}")

    return write


def _written(report: "ValidationReport", report_format: str) -> str:
    from mohlcv_dagster.validation import report_forms  # noqa: PLC0415 - not for the help text

    written = {"text": report_forms.to_text, "json": report_forms.to_json, "html": report_forms.to_html}[report_format]
    return written(report)


def _validated(
    timeframe: Timeframe, input_dir: str, raw_data_dir: str | None, symbols: list[str], console: "Console"
) -> "ValidationReport":
    from mohlcv_dagster.settings import apply_calendar  # noqa: PLC0415 - not for the help text
    from mohlcv_dagster.storage import inventory, locations  # noqa: PLC0415 - as above
    from mohlcv_dagster.validation import folder_check, report, report_forms  # noqa: PLC0415 - as above

    home = Home.real(project_root())
    settings = home.settings()
    apply_calendar(settings)
    archive = Paths(settings.data_dir).archive()
    folder = locations.resolve_path(input_dir)
    if not folder.is_dir() and archive.root in folder.parents:
        require_something(archive, *symbols[:1])
    found = _chosen_files(inventory.list_folder(input_dir, timeframe), timeframe, symbols)
    raw = _raw_folder(found, timeframe, raw_data_dir)
    made = report.ValidationReport(
        input_dir=input_dir,
        timeframe=timeframe.name,
        raw_dir=raw_data_dir or str(raw) if raw is not None else None,
        made_at=datetime.now(UTC),
        version=version("mohlcv-dagster"),
        skipped=[(each.path, each.why) for each in found.skipped],
    )
    with knowledge(home, found) as known, console.status("checking") as status:
        for number, entry in enumerate(report.collect(made, folder_check.check_files(found, raw, known)), start=1):
            status.update(f"checking, {number} of {len(found.files)} done")
            _show(made, entry, console)
    console.print()
    for line in (made.summary, *report_forms.remarks(made)):
        console.print(line, markup=False)
    return made


def _chosen_files(found: "BarFolder", timeframe: Timeframe, symbols: list[str]) -> "BarFolder":
    """The files to check.

    Raises:
        FileMissingError: there is none, or none of a symbol.
    """
    stored = found.symbols()
    if not stored:
        folder = found.root / timeframe.name
        hint = f"; did you mean {folder}?" if folder.is_dir() else ""
        skipped = f" ({found.skipped[0].path}: {found.skipped[0].why})" if found.skipped else ""
        raise FileMissingError(f"{found.root} holds no file of {timeframe} bars{skipped}{hint}")
    if missing := [symbol for symbol in symbols if symbol not in stored]:
        raise FileMissingError(f"{found.root} holds no file of {', '.join(missing)}; there are {', '.join(stored)}")
    if symbols:
        found.files = {file: at for file, at in found.files.items() if file.symbol in symbols}
    return found


def _raw_folder(found: "BarFolder", timeframe: Timeframe, named: str | None) -> "AnyPath | None":
    """The raw files that aggregates are compared with; without a name, those of the same data folder.

    Raises:
        FileMissingError: the folder does not exist.
    """
    from mohlcv_dagster.storage.locations import resolve_path  # noqa: PLC0415 - not for the help text

    if timeframe == RAW:
        return None
    if named is not None:
        raw = resolve_path(named)
        if not raw.is_dir():
            raise FileMissingError(f"there is no folder {raw}: name the folder of raw files with --raw-data-dir")
        return raw
    sibling = found.root.parent.parent / RAW_FOLDER
    return sibling if found.root.parent.name == AGGREGATED_FOLDER and sibling.is_dir() else None


def _show(made: "ValidationReport", entry: "FileReport", console: "Console") -> None:
    from mohlcv_dagster.validation import report_forms  # noqa: PLC0415 - not for the help text

    console.print(f"{_MARKS[entry.worst]} {escape(report_forms.headline(entry))}")
    for fault in entry.faults:
        for line in report_forms.failure_lines(fault):
            console.print(f"    {line}", markup=False)
    if command := made.command(entry):
        console.print(f"    In the terminal: {command}", markup=False)
