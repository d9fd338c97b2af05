"""The timeframes: how long a bar is, and the name of that length."""

from dataclasses import dataclass
from typing import Final

from mohlcv_dagster.errors import TimeframeError


@dataclass(frozen=True, order=True)
class Timeframe:
    """A length of bar.

    Attributes:
        seconds: the length in seconds; divides a day.
        name: its name in settings, asset keys and file names, such as `15s` or `1min`.
    """

    seconds: int
    name: str

    def __str__(self) -> str:
        return self.name


RAW: Final = Timeframe(1, "1s")
"""The bars as the vendor gives them."""

MINUTE: Final = Timeframe(60, "1min")
"""The aggregated timeframe that the vendor serves too."""

AGGREGATED: Final = (
    Timeframe(15, "15s"),
    Timeframe(30, "30s"),
    Timeframe(45, "45s"),
    MINUTE,
    Timeframe(120, "2min"),
    Timeframe(300, "5min"),
    Timeframe(900, "15min"),
    Timeframe(1800, "30min"),
    Timeframe(3600, "1h"),
)
"""Every timeframe that raw bars can be resampled to, shortest first."""

_BY_NAME: Final = {timeframe.name: timeframe for timeframe in AGGREGATED}


def parse(name: str) -> Timeframe:
    """The aggregated timeframe called `name`, surrounding blanks ignored.

    Raises:
        TimeframeError: there is none of that name.
    """
    try:
        return _BY_NAME[name.strip()]
    except KeyError:
        raise TimeframeError(f"timeframe {name!r} is not offered; choose from {', '.join(_BY_NAME)}") from None


def parse_any(name: str) -> Timeframe:
    """`RAW` or the aggregated timeframe called `name`, surrounding blanks ignored.

    Raises:
        TimeframeError: there is none of that name.
    """
    if name.strip() == RAW.name:
        return RAW
    try:
        return parse(name)
    except TimeframeError as error:
        raise TimeframeError(f"{error}, or {RAW.name} for raw files") from None


def parse_list(names: str) -> tuple[Timeframe, ...]:
    """The timeframes in a comma-separated list, shortest first, each once.

    Raises:
        TimeframeError: a name is not offered, or the list is empty.
    """
    chosen = {parse(name) for name in names.split(",") if name.strip()}
    if not chosen:
        raise TimeframeError(f"no timeframe in {names!r}; choose from {', '.join(_BY_NAME)}")
    return tuple(sorted(chosen))
