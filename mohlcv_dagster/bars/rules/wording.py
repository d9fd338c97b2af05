"""How sessions, shares, moments and spans read in the messages of rules. What is wrong is said by the rules."""

from datetime import datetime, timedelta

from mohlcv_dagster.bars.sessions import EASTERN


def sessions(count: int) -> str:
    """`1 session`, `21 sessions`."""
    return f"{count} session" if count == 1 else f"{count} sessions"


def percent(share: float) -> str:
    """`99.27 %` of a share of 0 to 1, four digits."""
    return f"{100 * share:.4g} %"


def length(span: timedelta) -> str:
    """`10 minutes`, `10 minutes 3 s`."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    return f"{minutes} minutes" + (f" {seconds} s" if seconds else "")


def utc(moment: datetime | None) -> str:
    """`2024-01-02 14:30:07Z`."""
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "an unknown time"


def eastern(moment: datetime | None) -> str:
    """`09:30:07`, New York time."""
    return f"{moment.astimezone(EASTERN):%H:%M:%S}" if moment else "an unknown time"
