"""The rules on what was recorded of a month: final, without a later change, on today's basis of splits, of one company.

They look at what was recorded when the file was written, never at the clock: the same record gives the same result.
"""

from math import log
from typing import Final

import numpy as np

from mohlcv_dagster.checks.check_input import CheckInput, StoredMonth
from mohlcv_dagster.checks.rule import RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import utc
from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import basis, finality
from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.exchange_calendar import trading_day_start

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
    sentence="Adjusted bars are adjusted for every split known by now; the months beside are on the same basis.",
    threshold="0 splits",
    blocking=False,
    scope=Scope.RAW,
    cure="Re-materialize {asset} for {partition}, and each month whose check fails in the same way.",
)
def split_basis(given: CheckInput) -> RuleOutcome:
    """A warning where for which splits bars are adjusted is not recorded, or a month beside is on another basis."""
    rows, recorded = given.own.rows, given.provenance
    beside = _beside(given) if rows else None
    if recorded is None or not recorded.adjusted:
        unknown = "whether they are adjusted is not recorded: they are taken for unadjusted, as no split rewrites"
        known = "unadjusted: no later split rewrites them"
        return beside or RuleOutcome(of=rows, note=unknown if given.adjusted is None else known)
    if not rows:
        return RuleOutcome(of=rows)
    if recorded.fetched_at is None:
        return _unknown_basis(given)
    lacking = basis.lacking_splits(given.file.month, recorded, recorded.splits_now)
    if not lacking:
        return beside or (_unknown_basis(given) if recorded.splits is None else RuleOutcome(of=rows))
    first_after = int(trading_day_start(lacking[-1].executed).timestamp())
    count = int(np.count_nonzero(given.own.starts < first_after))
    fault = (
        f"{given.file.path}, fetched at {utc(recorded.fetched_at)}, is not adjusted for "
        f"{quantity(len(lacking), 'split')} of {given.file.symbol} known by now: "
        f"{', '.join(map(str, lacking))}. Prices and volumes of {count:,} of {quantity(rows, 'bar')} are on the old "
        "basis, other months may be on today's"
    )
    return RuleOutcome(of=rows, fault=fault if count else None, count=count)


def _beside(given: CheckInput) -> RuleOutcome | None:
    """The outcome where the nearest stored month before or after is on another basis; `None` where neither is.

    A jump in price at the border to it is one that no market made; `open_jumps` compares on one basis.
    """
    own, (before, after) = given.provenance, (given.neighbours.before, given.neighbours.after)
    for other in (before, after):
        if own is None or other is None or own.adjusted is None or other.recorded.adjusted is None:
            continue
        pair = (own, other.recorded) if other is after else (other.recorded, own)
        factor = basis.price_factor(*pair)
        if own.adjusted is other.recorded.adjusted and factor == 1:
            continue
        of = f"{given.file.symbol} {other.month}"
        fault = (
            f"{given.file.path} is {basis.as_of(own)}, and {of} {'after' if other is after else 'before'} it is "
            f"{basis.as_of(other.recorded)}: they are on two bases of splits. {_border(given, other, factor)}"
        )
        cure = f"Re-materialize {{asset}} for {of}, or for {{partition}}, so that both are on the basis of today"
        if own.adjusted is not other.recorded.adjusted:
            cure += "; MASSIVE_ADJUSTED decides whether they are adjusted"
        return RuleOutcome(of=given.own.rows, fault=fault, count=0, severity=Severity.WARN, cure=f"{cure}.")
    return None


def _border(given: CheckInput, other: StoredMonth, factor: float | None) -> str:
    """What that does to the prices at the border."""
    if factor is None:
        return "By how much their prices differ for that is unknown"
    if factor == 1:
        return "No split known by now makes their prices differ"
    close, open_ = other.recorded.last_close, given.own.prices["open"]
    if other.month > given.file.month or not close or not open_.size:
        return f"Their prices differ by a factor of {factor:.6g} for that alone"
    nearer = abs(log(open_[0] / (close * factor))) < abs(log(open_[0] / close)) if open_[0] > 0 and close > 0 else True
    jump = f"close {close:g}, then open {open_[0]:g}"
    if nearer:
        return f"The jump between them ({jump}) is that of the basis, a factor of {factor:.6g}"
    return f"A factor of {factor:.6g} should lie between them, and does not ({jump}): one record or the other is wrong"


def _unknown_basis(given: CheckInput) -> RuleOutcome:
    """The outcome for adjusted bars whose splits were not recorded: a split added later would not be noticed."""
    fault = f"{given.file.path} is adjusted, and for which splits is unknown: the vendor did not give them"
    return RuleOutcome(of=given.own.rows, fault=fault, count=0, severity=Severity.WARN)


@rule(
    sentence="The month's bars are of the same company as those of the months around it, by FIGI or CIK.",
    threshold="one company",
    severity=Severity.WARN,
    scope=Scope.RAW,
    cure="Read the months of each company apart; the bars of a renamed company's earlier time are under its former "
    "symbol. Nothing need be fetched again: docs/add-a-symbol.md.",
)
def same_company(given: CheckInput) -> RuleOutcome:
    """Compared are the nearest stored months with bars on each side; what is not recorded is not judged."""
    recorded, rows = given.provenance, given.own.rows
    own = recorded.company if recorded else None
    if not rows or own is None:
        why = f": {recorded.company_unknown}" if rows and recorded and recorded.company_unknown else ""
        return RuleOutcome(of=rows, note=f"not judged: the company is not recorded{why}" if rows else "no bars")
    symbol = f"{given.file.symbol} {given.file.month}"
    if own.conflict:
        fault = f"The reference data say that the bars of {symbol} may be another company's: {own.conflict}"
        return RuleOutcome(of=rows, fault=fault, count=0)
    sides = [side for side in (given.neighbours.before, given.neighbours.after) if side is not None]
    verdicts = [(side, own.is_same_as(side.recorded.company)) for side in sides if side.recorded.company]
    others = [side for side, same in verdicts if same is False]
    if others:
        fault = f"{symbol} is of {own}, and {' and '.join(map(_told, others))}: bars of two stand under one symbol"
        return RuleOutcome(of=rows, fault=fault, count=0)
    return RuleOutcome(of=rows, note=_note(own, [side for side, same in verdicts if same]))


def _told(side: StoredMonth) -> str:
    return f"{side.month} is of {side.recorded.company}"


def _note(own: Company, same: list[StoredMonth]) -> str:
    as_of = f"{own} on {own.as_of}"
    if not same:
        return f"{as_of}; not judged: of no stored month before or after it is the company known"
    return f"{as_of}, as in {' and '.join(str(side.month) for side in same)}"
