"""The rule `trading_hours`: no bar lies outside the hours of a session, and what that says of the labels."""

from datetime import date, datetime
from typing import Final

import numpy as np
import pyarrow as pa

from mohlcv_dagster.checks import wording
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.label_hours import hours_off
from mohlcv_dagster.checks.rule import Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.exchange_calendar import (
    EASTERN,
    FIRST_YEAR,
    LAST_YEAR,
    eastern_midnight,
    session_on,
    trading_day_of,
)

_KNOWN_DAYS: Final = (
    int(eastern_midnight(date(FIRST_YEAR, 1, 1)).timestamp()),
    int(eastern_midnight(date(LAST_YEAR, 12, 31)).timestamp()),
)
"""Unix seconds, the last ones exclusive, between which a bar's day can be looked up."""


@rule(
    sentence="Every bar starts in the hours of a session: 04:00 to 20:00 Eastern, on an early close to 17:00, or those "
    "of your calendar.",
    threshold="0 bars",
    severity=Severity.WARN,
    scope=Scope.RAW,
    requires=Requires.CALENDAR,
    cure="They are kept and resampled like all others. Where the exchange kept other hours, name the day, or from "
    "which day on it trades longer, in the file of MOHLCV_CALENDAR; else re-materialize {asset} for {partition}, and "
    "if they stay, report the request_ids of its materialization to the vendor.",
)
def trading_hours(given: CheckInput) -> RuleOutcome:
    """Rows: the bars outside.

    A bar in the first second of a session's hours shows that labels are not late, one in the last that they are not
    early: where there is none, the outcome says so.
    """
    own, outside = given.own, given.coverage.outside
    if not outside.any():
        return RuleOutcome(of=own.rows, note=quantity(own.rows, "bar") + _untold(given))
    bars = own.present.filter(pa.array(outside))
    fault = wording.offending(bars, own.rows, "a start outside trading hours", shown=())
    first = int(own.starts[outside][0])
    if _KNOWN_DAYS[0] <= first < _KNOWN_DAYS[1]:  # a missing start is before them
        local = datetime.fromtimestamp(first, EASTERN)
        day = trading_day_of(local)
        kind = "a trading day" if session_on(day) else "not a trading day"
        kind = kind if day == local.date() else f"of {day}, {kind}"
        fault += f" ({local:%A %Y-%m-%d %H:%M:%S} Eastern, {kind})"
    if off := hours_off(np.sort(own.starts), outside[np.argsort(own.starts)], given.file.month):
        moved = f"{quantity(abs(off), 'hour')} {'late' if off > 0 else 'early'}"
        fault += f"; labels look {moved}, as of another time zone or after a change of clocks"
    return RuleOutcome(of=own.rows, fault=fault, bars=bars)


def _untold(given: CheckInput) -> str:
    """What the bars do not show of their labels; empty where they show it."""
    first, last = given.coverage.reaches
    words = [words for shown, *words in ((first, "late", "first"), (last, "early", "last")) if not shown]
    if not words or not given.own.rows:
        return ""
    late, second = map(" or ".join, zip(*words, strict=True))
    return f"; not judged: whether labels are a second {late}, since no bar starts in the {second} second of a session"
