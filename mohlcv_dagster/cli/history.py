"""`mohlcv history`: list the versions of a month, and write one as it was stored on a day."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mohlcv_dagster.cli.arguments import Symbol, Timeframes
from mohlcv_dagster.cli.console import OK, WARNED, json_option, open_console, print_json, print_table
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.nothing_stored import require_something
from mohlcv_dagster.errors import FileMissingError, InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile, check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mohlcv_dagster.storage.history import VersionHistory
    from mohlcv_dagster.storage.versions import Version

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_COUNTS: Final = ("changed", "added", "removed")


@click.command("history", short_help="List the versions of a month; write one as of a day.")
@click.argument("symbol", type=Symbol())
@click.argument("month", metavar="MONTH")
@click.option("--timeframe", type=Timeframes(), default=RAW.name, help="The bars wanted, such as 1min [default: 1s].")
@click.option("--as-of", "day", metavar="DAY", help="A day, or a moment such as 2024-03-01T15:00Z; with --output.")
@click.option("--output", metavar="FILE", help="With --as-of: where the CSV is written.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    symbol: str, month: str, timeframe: str, day: str | None, output: str | None, *, as_json: bool
) -> int:
    """List the versions of MONTH of SYMBOL that were stored, and what changed from each to the next.

    With --as-of and --output, the CSV is written as it was stored when that day ended, at 24:00 UTC, byte for byte: a
    version stored on the day counts, and the last one of the day is taken. Of a moment, the version that was there at
    it. A time without an offset is UTC. Nothing is written unless the bytes have the recorded sha256. Bars of another
    timeframe are resampled from the raw bars of that day.

    Reads the data folder and writes nothing in it; needs neither Dagster's home nor a key. Exits with 1 where nothing
    was stored by then. MOHLCV_HISTORY=false turns the keeping off. See docs/history.md.

    \b
    Examples:
      mohlcv history SPY 2024-01
      mohlcv history SPY 2024-01 --json
      mohlcv history SPY 2024-01 --as-of 2024-03-01 --output SPY_2024_01.csv
      mohlcv history SPY 2024-01 --as-of 2024-03-01 --timeframe 1min --output SPY_2024_01_1min.csv
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    if (day is None) != (output is None):
        raise InputError("--as-of and --output belong together: name the day and the file that is written")
    before = _end(day) if day is not None else None
    file = BarFile(check_symbol(symbol), _timeframe(timeframe), Month.parse(month))
    # Arrow takes its time to load: loaded after the options were parsed
    from mohlcv_dagster.storage.history import VersionHistory  # noqa: PLC0415

    history = VersionHistory(Paths(Home.real(project_root()).settings().data_dir).archive())
    require_something(history.archive, file.symbol)
    if before is None or output is None:
        _list(history, file, as_json=as_json)
    else:
        _write(history, file, before, Path(output), as_json=as_json)
    return 0


def _timeframe(text: str) -> timeframes.Timeframe:
    return RAW if text == RAW.name else timeframes.parse(text)


def _end(text: str) -> datetime:
    """The moment, exclusive, before which a version must have been stored: the end of a day, or just after a moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a day; write one as 2024-03-01, or a moment as 2024-03-01T15:00Z") from None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment > datetime.now(UTC):
        raise InputError(f"--as-of {text} is in the future: name a day up to today (UTC)")
    return moment + (timedelta(days=1) if _DAY.fullmatch(text) else datetime.resolution)


def _list(history: "VersionHistory", file: BarFile, *, as_json: bool) -> None:
    versions = history.versions(file)
    if not versions:
        raise FileMissingError(f"{file} is not stored, and no former version of it is kept")
    if as_json:
        print_json({**_file(file), "versions": [_document(each) for each in versions]})
        return
    _show(file, versions)


def _show(file: BarFile, versions: "Sequence[Version]") -> None:
    from rich.table import Table  # noqa: PLC0415 - it takes its time to load

    console = open_console()
    console.print(f"{file}: {quantity(len(versions), 'version')}, times in UTC")
    table = Table("stored", "superseded", "bars", "sha256", "why", *_COUNTS)
    for each in versions:
        following = each.following
        counts = [_count(getattr(following, name)) if following else "" for name in _COUNTS]
        until = _second(following.superseded_at) if following else "present"
        why = f"{following.why}{' (lost)' if each.is_lost else ''}" if following else ""
        table.add_row(_second(each.stored_at), until, f"{each.rows:,}", each.sha256[:12], why, *counts)
    print_table(console, table)
    if any(each.is_lost for each in versions):
        console.print(f"{WARNED} (lost): what the version is told from is missing; `mohlcv verify` says which file")


def _write(history: "VersionHistory", file: BarFile, before: datetime, output: Path, *, as_json: bool) -> None:
    from mohlcv_dagster.storage import atomic_writes  # noqa: PLC0415 - as above
    from mohlcv_dagster.storage.writable import require_output  # noqa: PLC0415 - as above

    _refuse_archive(history, output)
    require_output("--output", output)
    version, content = _as_of(history, file, before)
    try:
        atomic_writes.write(output.absolute(), [content])
    except OSError as error:
        raise InputError(f"--output {output} cannot be written: {error.strerror}; name another file") from error
    if as_json:
        print_json({**_file(file), "version": _document(version), "output": str(output), "bytes": len(content)})
        return
    until = f"superseded {_second(version.superseded_at)}" if version.superseded_at else "the present one"
    console = open_console()
    console.print(f"{OK} {output}: {file} as stored {_second(version.stored_at)} UTC, {until}", markup=True)


def _as_of(history: "VersionHistory", file: BarFile, before: datetime) -> "tuple[Version, bytes]":
    """The version of `file`, or of the raw file that it is resampled from, and the bytes of `file`."""
    from mohlcv_dagster.storage import versions  # noqa: PLC0415 - as above

    if file.timeframe != RAW:
        former = [each for each in history.versions(file)[:-1] if each.stored_at < before]
        if former and (former[-1].superseded_at or before) >= before:
            return former[-1], history.content(file, former[-1])  # what `mohlcv adopt --rewrite` replaced
    version = versions.as_of(file.raw, history.versions(file.raw), before)
    content = history.content(file.raw, version)
    if file.timeframe == RAW:
        return version, content
    from mohlcv_dagster.bars import csv_codec, resample  # noqa: PLC0415 - as above

    return version, csv_codec.encode(resample.resample(csv_codec.decode(content), file.timeframe))


def _refuse_archive(history: "VersionHistory", output: Path) -> None:
    """Refuse to write into the data folder, where it would replace what former versions are told from."""
    root = history.archive.root
    if isinstance(root, Path) and output.resolve().is_relative_to(root.resolve()):
        raise InputError(f"--output {output} is in the data folder {root}: name a file elsewhere")


def _file(file: BarFile) -> dict[str, object]:
    return {"symbol": file.symbol, "month": str(file.month), "timeframe": file.timeframe.name}


def _document(version: "Version") -> dict[str, Any]:
    """A version for JSON; what followed it is `null` for the present one."""
    following = version.following
    return {
        "stored_at": version.stored_at.isoformat(),
        "superseded_at": version.superseded_at.isoformat() if version.superseded_at else None,
        "sha256": version.sha256,
        "size": version.size,
        "rows": version.rows,
        "why": str(following.why) if following else None,
        **{name: getattr(following, name) if following else None for name in _COUNTS},
        "path": str(version.kept.path) if version.kept else None,
        "lost": version.is_lost,
    }


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _count(count: int | None) -> str:
    return "not compared" if count is None else f"{count:,}"
