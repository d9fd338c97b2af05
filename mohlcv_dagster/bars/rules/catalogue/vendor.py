"""The rules that hold our minutes against the vendor's own.

They stand on an answer of the vendor's of now, so they are not among the rules a file is judged by when it is used.
"""

from typing import Final

from mohlcv_dagster.bars.rules.rule import Ground, Rule, Scope, Severity

_LOOK_UP: Final = "docs/reconciliation.md has the meaning of each kind, and what shows it."

AGAINST_VENDOR: Final = (
    Rule(
        name="vendor_minutes",
        sentence="Every minute is the vendor's own: on both sides, prices to the tick, volume within 0.5 %.",
        threshold="0 minutes; an error where more than 1 % differ in price, or one in a way that is not known",
        judged_in="against_vendor",
        holds_back=False,
        scope=Scope.MINUTES,
        ground=Ground.RAW,
        aggregate_cure=_LOOK_UP,
        counts="minutes",
    ),
    Rule(
        name="volume_ladder",
        sentence="No minute of the vendor's own has less volume than our seconds in it.",
        threshold="0 minutes",
        judged_in="against_vendor",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.MINUTES,
        ground=Ground.VENDOR,
        aggregate_cure="Our seconds may have a print twice, or one that was cancelled since: re-materialize raw_1s for "
        "{partition}, then {asset}; if it stays, see what vendor_minutes says of these minutes.",
        counts="minutes",
    ),
)
"""What minutes must be beside the vendor's own."""
