"""A file of bars: its symbol, timeframe and month, its path, its columns, and how large it will be.

Paths are relative to the data folder and written with `/`::

    raw_1s/SPY/SPY_2024_01.csv
    aggregated/15s/SPY_2024_01_15s.csv
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Self

from mohlcv_dagster.errors import FileError, MohlcvError, SymbolError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, Timeframe

TIME: Final = "ts_event"
PRICES: Final = ("open", "high", "low", "close")
VOLUME: Final = "volume"
COLUMNS: Final = (TIME, *PRICES, VOLUME)
"""The columns of a bar in their order. Their types in memory are in `bars/bar_table.py`."""

MEANINGS: Final = {
    TIME: "start of the bar (inclusive), UTC, whole seconds",
    "open": "price of the first trade in the bar, US dollars a share",
    "high": "highest price traded in the bar, US dollars a share",
    "low": "lowest price traded in the bar, US dollars a share",
    "close": "price of the last trade in the bar, US dollars a share",
    VOLUME: "shares traded in the bar; whole numbers where every volume of the month is whole",
}
"""What each column holds, as shown in the asset catalog."""

UNITS: Final = {TIME: "UTC", **dict.fromkeys(PRICES, "USD/share"), VOLUME: "shares"}

BOUNDS: Final = {
    TIME: ("rises strictly", "inside the file's UTC month", "on the timeframe's grid"),
    **dict.fromkeys(PRICES, ("above 0", "finite")),
    VOLUME: ("0 or more", "at most 6 decimals", "one type in all of a month"),
}
"""The limits of each column alone, as shown in the asset catalog; the rules check it."""

BOUNDS_BETWEEN: Final = ("low <= open, close <= high", "no trades, no row")
"""The limits between columns and between rows."""

RAW_FOLDER: Final = "raw_1s"
AGGREGATED_FOLDER: Final = "aggregated"
MIRROR_FOLDER: Final = "parquet"
HISTORY_FOLDER: Final = "history"

LONGEST_SYMBOL: Final = 24
_SYMBOL: Final = re.compile(r"[A-Za-z0-9]+(?:[.\-][A-Za-z0-9]+)*")
_STEM: Final = r"(?P<folder>[^/]+)/(?P<symbol>[^/_]+)_(?P<month>[0-9]{4}_[0-9]{2})"
_RAW_PATH: Final = re.compile(rf"{RAW_FOLDER}/{_STEM}\.csv")
_AGGREGATED_PATH: Final = re.compile(rf"{AGGREGATED_FOLDER}/{_STEM}_(?P<timeframe>[^/_]+)\.csv")
_WINDOWS_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL"} | {f"{device}{n}" for device in ("COM", "LPT") for n in range(1, 10)}
)

BYTES_A_BAR: Final = 58
"""A line of CSV: 53 to 58 bytes in months of 7,000 to 930,000 bars at two- and three-digit prices."""
QUIET_BARS: Final = 330
"""1-second bars a session of a symbol that hardly trades."""
BUSY_BARS: Final = 44_400
"""1-second bars a session of SPY: three in four of its 57,600 seconds."""
USUAL_SECONDS: Final = 57_600
"""From 04:00 to 20:00."""


def check_symbol(symbol: str) -> str:
    """`symbol` unchanged, when it can be requested and stored: case is kept, `BRK.B` and `BACpB` are fine.

    Raises:
        SymbolError: it is empty, too long, or holds anything but letters, digits and inner dots or hyphens.
    """
    if not symbol:
        raise SymbolError("the symbol is empty; write one such as SPY")
    if len(symbol) > LONGEST_SYMBOL:
        raise SymbolError(
            f"symbol {symbol[:LONGEST_SYMBOL]!a}… has {len(symbol)} characters, {LONGEST_SYMBOL} are allowed"
        )
    if not _SYMBOL.fullmatch(symbol):
        raise SymbolError(
            f"{symbol!a} is not a US stock symbol: "
            "letters A to Z and digits, with inner dots or hyphens, such as SPY, BRK.B or BACpB"
        )
    return symbol


def portability_note(symbol: str, others: Iterable[str] = ()) -> str | None:
    """`portability_notes` of one symbol; `None` when nothing may go wrong with its files."""
    return portability_notes([symbol], others).get(symbol)


def portability_notes(symbols: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """What may go wrong with the files of these symbols on another disk than a Linux one, by symbol.

    Args:
        symbols: symbols that passed `check_symbol`.
        others: the symbols already kept, or to be kept with them.
    """
    chosen = list(symbols)
    spellings: dict[str, set[str]] = {}
    for symbol in {*chosen, *others}:
        spellings.setdefault(symbol.lower(), set()).add(symbol)
    notes = {symbol: _portability_note(symbol, spellings[symbol.lower()] - {symbol}) for symbol in chosen}
    return {symbol: note for symbol, note in notes.items() if note}


def _portability_note(symbol: str, same_letters: AbstractSet[str]) -> str:
    if symbol.split(".", maxsplit=1)[0].upper() in _WINDOWS_DEVICES:
        return f"{symbol} is the name of a device on Windows: its files cannot be stored or copied there"
    if same_letters:
        return (
            f"{symbol} differs from {', '.join(sorted(same_letters))} in case only: "
            "on a disk that ignores case (macOS, Windows) they would be one file, and storing both is refused there"
        )
    return ""


@dataclass(frozen=True, order=True)
class BarFile:
    """One file of the archive: the bars of a symbol in a month, at a timeframe.

    Attributes:
        symbol: case kept.
        timeframe: `timeframes.RAW` or one of `timeframes.AGGREGATED`.
        month: the UTC month.
    """

    symbol: str
    timeframe: Timeframe
    month: Month

    def __post_init__(self) -> None:
        check_symbol(self.symbol)

    @property
    def path(self) -> PurePosixPath:
        """Its path relative to the data folder."""
        stem = f"{self.symbol}_{self.month.file_form}"
        if self.timeframe == RAW:
            return PurePosixPath(RAW_FOLDER, self.symbol, f"{stem}.csv")
        return PurePosixPath(AGGREGATED_FOLDER, self.timeframe.name, f"{stem}_{self.timeframe.name}.csv")

    @property
    def raw(self) -> Self:
        """The raw file of the same symbol and month."""
        return type(self)(self.symbol, RAW, self.month)

    @classmethod
    def parse(cls, path: PurePosixPath | str) -> Self:
        """The file at a relative path.

        Raises:
            FileError: the path is not one that `path` gives.
        """
        text = str(path)
        match = _RAW_PATH.fullmatch(text) or _AGGREGATED_PATH.fullmatch(text)
        if match is None:
            raise FileError(f"{text!r} is not a path of the archive, such as raw_1s/SPY/SPY_2024_01.csv")
        try:
            timeframe = timeframes.parse(match["timeframe"]) if "timeframe" in match.groupdict() else RAW
            file = cls(match["symbol"], timeframe, Month.parse(match["month"].replace("_", "-")))
        except MohlcvError as error:
            raise FileError(f"{text!r} is not a path of the archive: {error}") from error
        if str(file.path) != text:
            raise FileError(f"{text!r} is not a path of the archive: the file belongs at {str(file.path)!r}")
        return file

    def __str__(self) -> str:
        return f"{self.symbol} {self.month} {self.timeframe}"


@dataclass(frozen=True)
class EstimatedSize:
    """The size in bytes of the raw file, and of all aggregates together (at most)."""

    raw: float = 0.0
    aggregated: float = 0.0

    def __add__(self, other: "EstimatedSize") -> "EstimatedSize":
        return EstimatedSize(self.raw + other.raw, self.aggregated + other.aggregated)


def estimate_size(
    sessions: int, bars_a_session: float, aggregates: Iterable[Timeframe], seconds_a_session: float = USUAL_SECONDS
) -> EstimatedSize:
    """The size of a month's files.

    An aggregate has at most one bar for each raw bar, and at most one for each bucket of a session's hours.

    Args:
        sessions: of the month, or of the part of it that is over.
        bars_a_session: 1-second bars.
        aggregates: the timeframes resampled to.
        seconds_a_session: of extended hours.
    """
    aggregated = sum(min(bars_a_session, seconds_a_session / timeframe.seconds) for timeframe in aggregates)
    return EstimatedSize(sessions * bars_a_session * BYTES_A_BAR, sessions * aggregated * BYTES_A_BAR)
