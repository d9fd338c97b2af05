"""How large the files of a month come out, estimated from how many bars there are; what is stored is not looked at."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mohlcv_dagster.bars.timeframes import Timeframe

BYTES_A_BAR: Final = 58
"""A line of CSV: 53 to 58 bytes in months of 7,000 to 930,000 bars at two- and three-digit prices."""

QUIET_BARS: Final = 330
"""Second bars a session of a symbol that hardly trades."""

BUSY_BARS: Final = 44_400
"""Second bars a session of SPY: three in four of its 57,600 seconds."""

_EXTENDED_SECONDS: Final = 57_600


@dataclass(frozen=True)
class Size:
    """Bytes.

    Attributes:
        raw: of `raw_1s`.
        aggregated: of all aggregates together, at most.
    """

    raw: float = 0.0
    aggregated: float = 0.0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.raw + other.raw, self.aggregated + other.aggregated)


def of_sessions(sessions: int, bars_a_session: float, timeframes: Iterable[Timeframe]) -> Size:
    """The files of so many sessions.

    An aggregate has at most a bar for each that is folded into it, and at most one for each bucket of extended hours.

    Args:
        sessions: of the month, or of the part of it that is over.
        bars_a_session: second bars.
        timeframes: of the aggregates.
    """
    aggregated = sum(min(bars_a_session, _EXTENDED_SECONDS / timeframe.seconds) for timeframe in timeframes)
    return Size(sessions * bars_a_session * BYTES_A_BAR, sessions * aggregated * BYTES_A_BAR)
