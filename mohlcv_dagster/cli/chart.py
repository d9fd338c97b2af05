"""`mohlcv chart`: one interactive HTML page of a stored month, with what the checks found drawn where it is."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mohlcv_dagster.cli.arguments import Symbol, Timeframes
from mohlcv_dagster.cli.console import OK, json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.cli.nothing_stored import require_symbol
from mohlcv_dagster.errors import FileMissingError, InputError, MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar, timeframes
from mohlcv_dagster.model.bar_files import BarFile, check_symbol
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe
from mohlcv_dagster.project import project_root

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from mohlcv_dagster.charts.candle_page import Mark
    from mohlcv_dagster.storage.archive import Archive


@click.command("chart", short_help="Draw a stored month as an interactive page.")
@click.argument("symbol", type=Symbol())
@click.argument("month", metavar="MONTH")
@click.option("--day", metavar="DAY", help="Only this day of the month, such as 2024-01-17, Eastern time.")
@click.option("--timeframe", "name", type=Timeframes(), default=MINUTE.name, show_default=True, help="Of the candles.")
@click.option("--output", metavar="FILE", help="Where the page is written.  [default: SYMBOL_MONTH_TIMEFRAME.html]")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    symbol: str, month: str, day: str | None, name: str, output: str | None, *, as_json: bool
) -> int:
    """Draw MONTH of SYMBOL as one HTML page: candles, volume, regular hours shaded, and what each check found.

    The candles are made from the stored raw file. Its checks that need neither the network nor Dagster's home are made
    now; a bar, session or gap that they name is marked where it is, and all findings are listed below. The page needs
    no other file and no network. A page holds at most 60,000 candles: of 1-second bars draw a day. Needs the extra
    `chart`.

    \b
    Examples:
      mohlcv chart SPY 2024-01
      mohlcv chart SPY 2024-01 --day 2024-01-17 --timeframe 1s --output day.html
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    file = BarFile(check_symbol(symbol), RAW, Month.parse(month))
    timeframe = RAW if name == RAW.name else timeframes.parse(name)
    chosen = _day(day, file.month) if day is not None else None
    if find_spec("plotly") is None:
        raise InputError("charts are drawn by plotly, which is not installed: uv sync --extra chart")
    from mohlcv_dagster.settings import apply_calendar  # noqa: PLC0415 - not for the help text
    from mohlcv_dagster.storage import atomic_writes  # noqa: PLC0415 - as above
    from mohlcv_dagster.storage.writable import require_output  # noqa: PLC0415 - as above

    settings = Home.real(project_root()).settings()
    apply_calendar(settings)
    at = Path(output or f"{symbol}_{chosen or file.month}_{timeframe}.html")
    require_output("--output", at)
    archive = Paths(settings.data_dir).archive()
    require_symbol(archive, file.symbol)
    if not archive.exists(file):
        raise FileMissingError(f"{file.symbol} {file.month} is not stored: there is no file {archive.path(file)}")
    made, candles, marks = _page(archive, file, timeframe, chosen)
    atomic_writes.write(at.absolute(), [made.encode()])
    if as_json:
        print_json(
            {
                "symbol": file.symbol,
                "month": str(file.month),
                "day": str(chosen) if chosen else None,
                "timeframe": timeframe.name,
                "output": str(at),
                "candles": candles,
                "findings": [{"rule": each.rule, "error": each.is_error, "message": each.message} for each in marks],
            }
        )
        return 0
    found = quantity(len(marks), "finding") if marks else "no findings"
    open_console().print(f"{OK} {at}: {quantity(candles, 'candle')} of {timeframe}, {found} of the checks")
    return 0


def _day(text: str, month: Month) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise MonthError(f"--day {text} is not a date; write one as {month}-17") from None
    if Month.of(day) != month:
        raise MonthError(f"--day {text} is not in {month}; name the month of the day")
    return day


def _page(archive: "Archive", file: BarFile, timeframe: Timeframe, day: date | None) -> "tuple[str, int, list[Mark]]":
    """The page, how many candles it has, and its findings.

    Raises:
        FileError: the raw file cannot be read.
        InputError: there is no bar, or more candles than a page holds.
    """
    from mohlcv_dagster.bars import bar_table  # noqa: PLC0415 - Arrow takes its time to load
    from mohlcv_dagster.charts import candle_page  # noqa: PLC0415 - as above
    from mohlcv_dagster.storage.reader import BarReader  # noqa: PLC0415 - as above

    reading = BarReader(archive).read(file)
    if reading.bars is None:
        raise InputError(f"{file.symbol} {file.month} cannot be drawn: {reading.problem}")
    title, bars = f"{file.symbol} {day or file.month}", reading.bars
    marks = list(_marks(archive, file))
    if day is not None:
        midnights = (datetime.combine(each, time.min, EASTERN) for each in (day, day + timedelta(days=1)))
        begin, end = (midnight.astimezone(UTC) for midnight in midnights)
        bars = bar_table.between(bars, begin, end)
        marks = [_within(mark, begin, end) for mark in marks]
    candles = candle_page.Candles.of(bars, timeframe.seconds)
    if not candles.starts.size:
        raise InputError(f"{title} has no bar to draw")
    if candles.starts.size > candle_page.MOST_CANDLES:
        raise InputError(
            f"{title} has {candles.starts.size:,} bars of {timeframe}, and a page holds {candle_page.MOST_CANDLES:,}: "
            "name a --day, or a longer --timeframe"
        )
    sessions = [each for each in exchange_calendar.sessions_overlapping(file.month) if day in {None, each.date}]
    return candle_page.page(title, timeframe.name, candles, sessions, marks), candles.starts.size, marks


def _marks(archive: "Archive", file: BarFile) -> "Iterator[Mark]":
    """What the rules find in the raw file, errors first, and what was recorded of the vendor's own minutes."""
    import numpy as np  # noqa: PLC0415 - as above

    from mohlcv_dagster.charts.candle_page import Mark  # noqa: PLC0415 - as above
    from mohlcv_dagster.checks.registry import VENDOR_RULES  # noqa: PLC0415 - as above
    from mohlcv_dagster.checks.rule import Severity  # noqa: PLC0415 - as above
    from mohlcv_dagster.storage import manifest  # noqa: PLC0415 - as above
    from mohlcv_dagster.storage.inventory import BarFolder  # noqa: PLC0415 - as above
    from mohlcv_dagster.validation import folder_check  # noqa: PLC0415 - as above

    [checked] = folder_check.check_files(BarFolder(archive.raw, {file: archive.path(file)}), None, lambda _: None)
    failed = [each for each in checked.findings if not each.passed]
    for each in sorted(failed, key=lambda result: result.severity is not Severity.ERROR):
        starts, ends = _seconds(each.bars, "ts_event"), _seconds(each.bars, "until")
        is_error = each.severity is Severity.ERROR
        yield Mark(each.rule.name, is_error, each.message, np.zeros(0, np.int64) if starts is None else starts, ends)
    entry = manifest.read_if_valid(archive, BarFile(file.symbol, MINUTE, file.month))
    vendors = {rule.name for rule in VENDOR_RULES}
    for check in entry.checks if entry is not None else ():
        if check.name in vendors and not check.passed:
            yield Mark(check.name, check.is_error, check.message, np.zeros(0, np.int64))


def _seconds(bars: "pa.Table", name: str) -> Any:  # noqa: ANN401 - the arrays of a column have a type each
    """A column of times as Unix seconds; `None` where the rule gives no such column."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    from mohlcv_dagster.bars.bar_table import to_numpy  # noqa: PLC0415 - as above

    if name not in bars.column_names:
        return None
    return to_numpy(bars[name].cast(pa.timestamp("s", tz="UTC")).cast(pa.int64()))


def _within(mark: "Mark", begin: datetime, end: datetime) -> "Mark":
    """`mark` with what begins in `[begin, end)`."""
    inside = (mark.starts >= begin.timestamp()) & (mark.starts < end.timestamp())
    return replace(mark, starts=mark.starts[inside], ends=None if mark.ends is None else mark.ends[inside])
