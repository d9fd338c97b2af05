"""The timeframes: how long a bar is and what that length is called."""

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

AGGREGATED: Final = tuple(
    Timeframe(seconds, name)
    for seconds, name in (
        (15, "15s"),
        (30, "30s"),
        (45, "45s"),
        (60, "1min"),
        (120, "2min"),
        (300, "5min"),
        (900, "15min"),
        (1800, "30min"),
        (3600, "1h"),
    )
)
"""Every timeframe that can be folded from raw bars, shortest first."""

MINUTE: Final = next(each for each in AGGREGATED if each.name == "1min")
"""The one that the vendor serves too."""

_BY_NAME: Final = {timeframe.name: timeframe for timeframe in AGGREGATED}


def parse(name: str) -> Timeframe:
    """The aggregated timeframe called `name`, surrounding blanks ignored.

    Raises:
        TimeframeError: there is none of that name.
    """
    try:
        return _BY_NAME[name.strip()]
    except KeyError:
        offered = ", ".join(_BY_NAME)
        raise TimeframeError(f"timeframe {name!r} is not offered; choose from {offered}") from None


def parse_list(names: str) -> tuple[Timeframe, ...]:
    """The timeframes in a comma-separated list, shortest first, each once.

    Raises:
        TimeframeError: a name is not offered, or the list is empty.
    """
    chosen = {parse(name) for name in names.split(",") if name.strip()}
    if not chosen:
        raise TimeframeError(f"no timeframe in {names!r}; choose from {', '.join(_BY_NAME)}")
    return tuple(sorted(chosen))
