"""The rules on the life of a month: whether it is settled, and whether fetching it anew changed what was settled.

They judge what was recorded when the file was written, never the clock: the same record gives the same verdict.
"""

from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.rule import Outcome
from mohlcv_dagster.bars.rules.wording import utc
from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.model import finality


def settled(evidence: Evidence) -> Outcome:
    """Judge: the bars were fetched after the month settled; a warning, too, where it is unknown when they were."""
    month, rows, recorded = evidence.file.month, evidence.own.rows, evidence.recorded
    name = f"{evidence.file.symbol} {month}"
    fetched_at = recorded.fetched_at if recorded else None
    try:
        settles_at = finality.final_at(month)
    except MonthError as error:
        return Outcome(of=rows, fault=f"Whether {name} is settled is unknown: {error}", count=0)
    rule = f"{utc(settles_at)}, 11:00 Eastern on the trading day after its last session"
    if fetched_at is None:
        fault = f"Whether {name} is settled is unknown: when it was fetched is not recorded. It settles at {rule}"
        return Outcome(of=rows, fault=fault, count=0)
    if fetched_at >= settles_at:
        return Outcome(of=rows)
    through = recorded.complete_through if recorded else None
    complete = f"is complete through {utc(through)}" if through else "is complete through an unknown moment"
    since = f"It was fetched at {utc(fetched_at)}, {complete} and settles at {rule}"
    fault = f"{name} is provisional: until it settles, bars may be missing or be revised. {since}"
    return Outcome(of=rows, fault=fault, count=0)


def revised(evidence: Evidence) -> Outcome:
    """Judge: no settled bar that was stored was changed, added or lost when the month was fetched anew."""
    recorded = evidence.recorded
    counts = recorded.revised if recorded else None
    if counts is None or not counts.total:
        return Outcome(of=counts.compared if counts else 0)
    fetched_at = recorded.fetched_at if recorded else None
    at = f" at {utc(fetched_at)}" if fetched_at else ""
    they = "bar is not as it was" if counts.total == 1 else "bars are not as they were"
    fault = (
        f"{counts.total:,} settled {they} before the fetch{at}: {counts.changed:,} changed, "
        f"{counts.gained:,} added, {counts.lost:,} lost, of {counts.compared:,} compared"
    )
    return Outcome(of=counts.compared, fault=fault, count=counts.total)
