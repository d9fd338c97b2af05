"""The rule on the basis of adjusted prices: the splits they stand on are those of today."""

import numpy as np

from mohlcv_dagster.bars.rules.evidence import Evidence
from mohlcv_dagster.bars.rules.rule import Outcome, Severity
from mohlcv_dagster.bars.rules.wording import plural
from mohlcv_dagster.model.exchange_calendar import eastern_midnight
from mohlcv_dagster.model.splits import missing_splits


def split_basis(evidence: Evidence) -> Outcome:
    """Judge: adjusted bars stand on every split that is known to be executed. Unadjusted ones stand on none."""
    rows, recorded = evidence.own.rows, evidence.recorded
    if recorded is None or not recorded.adjusted:
        adjusted = recorded.adjusted if recorded else None
        unknown = "whether they are adjusted is not recorded: they are taken for unadjusted, as no split rewrites"
        return Outcome(of=rows, note=unknown if adjusted is None else "unadjusted: no later split rewrites them")
    if not rows:
        return Outcome(of=rows)
    if recorded.fetched_at is None:
        return _unknown(evidence)
    lacking = missing_splits(evidence.file.month, recorded.fetched_at, recorded.splits, recorded.splits_now)
    if not lacking:
        return _unknown(evidence) if recorded.splits is None else Outcome(of=rows)
    first_after = int(eastern_midnight(lacking[-1].executed).timestamp())
    count = int(np.count_nonzero(evidence.own.starts < first_after))
    fault = (
        f"{evidence.file.path}, fetched at {recorded.fetched_at:%Y-%m-%d %H:%M:%S}Z, is not adjusted for "
        f"{'a split' if len(lacking) == 1 else f'{len(lacking)} splits'} of {evidence.file.symbol} known by now: "
        f"{', '.join(map(str, lacking))}. Prices and volumes of {count:,} of {rows:,} {plural(rows)} are on the former "
        "basis, other months may be on today's"
    )
    return Outcome(of=rows, fault=fault if count else None, count=count)


def _unknown(evidence: Evidence) -> Outcome:
    """Adjusted bars whose splits were not recorded: one that the vendor learnt of late would not be seen."""
    fault = f"{evidence.file.path} is adjusted, and for which splits is unknown: the vendor did not tell them"
    return Outcome(of=evidence.own.rows, fault=fault, count=0, severity=Severity.WARN)
