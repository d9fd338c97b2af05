"""(symbol, timeframe, month) ⇄ the relative path of its file, and what a symbol may be.

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

from mohlcv_dagster.bars import timeframes
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.bars.timeframes import RAW, Timeframe
from mohlcv_dagster.errors import FileError, MohlcvError, SymbolError

RAW_FOLDER: Final = "raw_1s"
AGGREGATED_FOLDER: Final = "aggregated"

LONGEST_SYMBOL: Final = 24
_SYMBOL: Final = re.compile(r"[A-Za-z0-9]+(?:[.\-][A-Za-z0-9]+)*")
_RAW_PATH: Final = re.compile(
    rf"{RAW_FOLDER}/(?P<folder>[^/]+)/(?P<symbol>[^/_]+)_(?P<month>[0-9]{{4}}_[0-9]{{2}})\.csv"
)
_AGGREGATED_PATH: Final = re.compile(
    rf"{AGGREGATED_FOLDER}/(?P<folder>[^/]+)/(?P<symbol>[^/_]+)_(?P<month>[0-9]{{4}}_[0-9]{{2}})_(?P<timeframe>[^/_]+)\.csv"
)
_WINDOWS_DEVICES: Final = frozenset(
    {"CON", "PRN", "AUX", "NUL"} | {f"{device}{n}" for device in ("COM", "LPT") for n in range(1, 10)}
)


def check_symbol(symbol: str) -> str:
    """`symbol` unchanged, when it can be asked for and stored: case is kept, `BRK.B` and `BACpB` are fine.

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
    """What may go wrong with this symbol's files on a disk unlike a Linux one; `None` when nothing does.

    Args:
        symbol: a symbol that passed `check_symbol`.
        others: the symbols already kept.
    """
    return portability_notes([symbol], others).get(symbol)


def portability_notes(symbols: Iterable[str], others: Iterable[str] = ()) -> dict[str, str]:
    """`portability_note` of many symbols, in one go over all of them; those without a note are left out.

    Args:
        symbols: symbols that passed `check_symbol`.
        others: the symbols already kept, or to be kept with them.
    """
    wanted = list(symbols)
    spelt: dict[str, set[str]] = {}
    for symbol in {*wanted, *others}:
        spelt.setdefault(symbol.lower(), set()).add(symbol)
    notes = {symbol: _portability_note(symbol, spelt[symbol.lower()] - {symbol}) for symbol in wanted}
    return {symbol: note for symbol, note in notes.items() if note}


def _portability_note(symbol: str, twins: AbstractSet[str]) -> str:
    if symbol.split(".", maxsplit=1)[0].upper() in _WINDOWS_DEVICES:
        return f"{symbol} is the name of a device on Windows: its files cannot be stored or copied there"
    if twins:
        return (
            f"{symbol} differs from {', '.join(sorted(twins))} in case only: "
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
        """Where it stands, relative to the data folder."""
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
        """The file that stands at a relative path.

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
