"""The rules on whether a raw month is whole, beside the exchange calendar."""

from typing import Final

from mohlcv_dagster.bars.rules.rule import ASK_AGAIN, Ground, Rule, Scope, Severity

_ELSE: Final = ASK_AGAIN[0].lower() + ASK_AGAIN[1:]
_UNLESS_HALTED: Final = f"If trading was not halted then, {_ELSE}"

WHOLE: Final = (
    Rule(
        name="sessions_present",
        sentence="Each session of the month that is over has bars in regular hours.",
        threshold="0 sessions; a warning for a quiet symbol",
        judged_in="against_calendar",
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure=f"If it was listed then, {_ELSE}",
        counts="sessions",
    ),
    Rule(
        name="minute_occupancy",
        sentence="Nearly every regular minute has a bar, in each session and in all together, if the symbol is liquid.",
        threshold="below 99 % a warning, below 95 % an error",
        judged_in="against_calendar",
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure=_UNLESS_HALTED,
        counts="sessions",
    ),
    Rule(
        name="session_edges",
        sentence="The first and the last regular minute of each session have a bar, if the symbol is liquid.",
        threshold="0 minutes",
        judged_in="against_calendar",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure=_UNLESS_HALTED,
        counts="minutes",
    ),
    Rule(
        name="largest_gap",
        sentence="No long stretch of regular hours is without a bar, if the symbol is liquid.",
        threshold="over 5 minutes a warning, over 15 an error",
        judged_in="against_calendar",
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure=_UNLESS_HALTED,
        counts="gaps",
    ),
    Rule(
        name="trading_hours",
        sentence="Every bar starts on a trading day from 04:00 to 20:00 Eastern, on an early close to 17:00.",
        threshold="0 bars",
        judged_in="against_calendar",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure="They are kept and folded like all others. Where the exchange kept other hours, name the day in the file "
        "of MOHLCV_CALENDAR; where it trades round the clock (24x5, planned), expect them; else re-materialize {asset} "
        "for {partition}, and if they stay, report the request_ids of its materialization to the vendor.",
    ),
)
"""None keeps aggregates from being made: what a month has can be folded exactly, whatever it lacks."""
