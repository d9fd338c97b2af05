"""The rules on when a month was fetched: after it was final, without a later change, on today's basis of splits.

They look at what was recorded when the file was written, never at the clock: the same record gives the same result.
"""

from typing import Final

import numpy as np

from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import utc
from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import finality
from mohlcv_dagster.model.exchange_calendar import trading_day_start
from mohlcv_dagster.model.listings import missing_splits

_REFRESH: Final = "only what is missing or not final is requested then. The automation, once turned on, does it daily."


@rule(
    sentence="The month was fetched when final: from 11:00 Eastern on the trading day after its last session.",
    threshold="fetched after it was final",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure=f"Re-materialize {{asset}} for {{partition}} from then on; {_REFRESH}",
)
def settled(given: CheckInput) -> RuleOutcome:
    """A warning, too, where it is unknown when the bars were fetched."""
    month, rows, recorded = given.file.month, given.own.rows, given.provenance
    name = f"{given.file.symbol} {month}"
    fetched_at = recorded.fetched_at if recorded else None
    try:
        final_from = finality.final_at(month)
    except MonthError as error:
        return RuleOutcome(of=rows, fault=f"Whether {name} is final is unknown: {error}", count=0)
    final = f"{utc(final_from)}, 11:00 Eastern on the trading day after its last session"
    if fetched_at is None:
        fault = f"Whether {name} is final is unknown: when it was fetched is not recorded. It is final from {final}"
        return RuleOutcome(of=rows, fault=fault, count=0)
    if fetched_at >= final_from:
        return RuleOutcome(of=rows)
    through = recorded.complete_through if recorded else None
    complete = f"is complete through {utc(through)}" if through else "is complete through an unknown moment"
    since = f"It was fetched at {utc(fetched_at)}, {complete} and is final from {final}"
    fault = f"{name} is provisional: until it is final, bars may be missing or be revised. {since}"
    return RuleOutcome(of=rows, fault=fault, count=0)


@rule(
    sentence="Fetching the month again changed, added and removed no final bar that was stored.",
    threshold="0 bars",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure="The file has the new bars. The first are shown before and after under `revision` in the metadata of this "
    "materialization of {asset}; look at them, and make again what was made from {partition} earlier.",
)
def revised(given: CheckInput) -> RuleOutcome:
    """It passes where nothing was compared."""
    recorded = given.provenance
    counts = recorded.revised if recorded else None
    if counts is None or not counts.total:
        return RuleOutcome(of=counts.compared if counts else 0)
    fetched_at = recorded.fetched_at if recorded else None
    at = f" at {utc(fetched_at)}" if fetched_at else ""
    they = "bar is not as it was" if counts.total == 1 else "bars are not as they were"
    fault = (
        f"{counts.total:,} final {they} before the fetch{at}: {counts.changed:,} changed, "
        f"{counts.gained:,} added, {counts.lost:,} lost, of {counts.compared:,} compared"
    )
    return RuleOutcome(of=counts.compared, fault=fault, count=counts.total)


@rule(
    sentence="Adjusted bars are adjusted for every split that is known to be executed; unadjusted ones for none.",
    threshold="0 splits",
    blocking=False,
    scope=Scope.RAW,
    cure="Re-materialize {asset} for {partition}, and each month whose check fails in the same way.",
)
def split_basis(given: CheckInput) -> RuleOutcome:
    """A warning where it is not recorded for which splits adjusted bars are adjusted."""
    rows, recorded = given.own.rows, given.provenance
    if recorded is None or not recorded.adjusted:
        unknown = "whether they are adjusted is not recorded: they are taken for unadjusted, as no split rewrites"
        known = "unadjusted: no later split rewrites them"
        return RuleOutcome(of=rows, note=unknown if given.adjusted is None else known)
    if not rows:
        return RuleOutcome(of=rows)
    if recorded.fetched_at is None:
        return _unknown_basis(given)
    lacking = missing_splits(given.file.month, recorded.fetched_at, recorded.splits, recorded.splits_now)
    if not lacking:
        return _unknown_basis(given) if recorded.splits is None else RuleOutcome(of=rows)
    first_after = int(trading_day_start(lacking[-1].executed).timestamp())
    count = int(np.count_nonzero(given.own.starts < first_after))
    fault = (
        f"{given.file.path}, fetched at {utc(recorded.fetched_at)}, is not adjusted for "
        f"{quantity(len(lacking), 'split')} of {given.file.symbol} known by now: "
        f"{', '.join(map(str, lacking))}. Prices and volumes of {count:,} of {quantity(rows, 'bar')} are on the old "
        "basis, other months may be on today's"
    )
    return RuleOutcome(of=rows, fault=fault if count else None, count=count)


def _unknown_basis(given: CheckInput) -> RuleOutcome:
    """The outcome for adjusted bars whose splits were not recorded: a split added later would not be noticed."""
    fault = f"{given.file.path} is adjusted, and for which splits is unknown: the vendor did not give them"
    return RuleOutcome(of=given.own.rows, fault=fault, count=0, severity=Severity.WARN)
