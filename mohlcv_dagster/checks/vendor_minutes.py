"""The rules that compare our minutes with the vendor's own. How they differ is found by `reconciliation`.

They need an answer from the vendor now, so they are not among the rules that are checked before a file is used.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.rule import Facts, Requires, RuleOutcome, Scope, Severity, rule
from mohlcv_dagster.checks.wording import as_text, eastern, utc
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import COLUMNS, TIME, VOLUME
from mohlcv_dagster.model.timeframes import MINUTE
from mohlcv_dagster.reconciliation import KINDS, DifferenceKind, Reconciliation, shows_openings
from mohlcv_dagster.reconciliation.thin_seconds import ThinSeconds

LEAST_PRICE_SHARE: Final = 0.99
"""The share of minutes that must have the same four prices on both sides; below it is an error."""
LEAST_SHARE: Final = 0.95
"""The share of minutes that must agree; below it is an error. Volume in the minute beside it is not lost: it counts."""

LONG: Final = 15
"""So many of the vendor's minutes in a row without any of ours are an error; where neither side has one, a halt."""

_REST: Final = timedelta(seconds=MINUTE.seconds - 1)
"""From a gap's first second, which is the one after the start of a minute, to the start of the next."""
_NAMED: Final = 3
_FEW: Final = 12
"""So many minutes may differ, whatever their share."""

_THIN_SHARE: Final = 0.05
"""The share of minutes that may be short of trades before it is an error."""
_KIND: Final = "kind"
_UNTOLD: Final = "; not judged: whether labels are a second early on both sides, since no opening auction stands out"
_ASK_AGAIN: Final = "Execute the check of {asset} for {partition} again once that is cured."
_ASK_AGAIN_LATER: Final = (
    "Is the symbol right, and does the plan have its minutes? Execute the check of {asset} for {partition} again "
    "later; if the vendor still has none, report it to the vendor."
)
_VENDOR_LACKS: Final = (
    "the vendor has no minute where our seconds have bars",
    "Its minutes may be incomplete: execute the check again later; if they stay so, report the minutes to the vendor.",
)
_FETCH_AGAIN: Final = "Re-materialize raw_1s for {partition}, then {asset}."
_CURE_OURS: Final = (
    "Cure first what raw_1s and {asset} fail for {partition}, then execute the check again; if they fail nothing, "
    "report it to the vendor."
)


@rule(
    sentence="Every minute is the vendor's own: on both sides, prices to the tick, volume within 0.5 %.",
    threshold="0 minutes; an error where more than 1 % differ in price, more than 5 % in all, we lack 15 in a row, or "
    "one differs in a way that is not known",
    blocking=False,
    scope=Scope.MINUTES,
    requires=Requires.RAW,
    aggregate_cure="docs/reconciliation.md has the meaning of each kind, and what shows it.",
    counts="minutes",
)
def vendor_minutes(given: CheckInput) -> RuleOutcome:
    """A warning where all differences are of kinds that are known of the vendor, or where it does not answer.

    Context: `kind`, `vendor_…`. The first bar of each kind comes first, then the second of each.
    """
    if given.vendor_problem is not None:
        return _not_compared(given, given.vendor_problem, Severity.WARN, _ASK_AGAIN)
    found = given.reconciled
    if isinstance(found, str):
        return _not_compared(given, found, Severity.ERROR, _CURE_OURS)
    facts = _facts(found)
    if not found.counts:
        shown = shows_openings(given.raw.present, given.file.month)
        note = f"{_compared(found)}{_halted(given)}{'' if shown else _UNTOLD}"
        return RuleOutcome(of=found.minutes, note=note, facts=facts)
    if found.minutes in {found.only_ours, found.only_vendors}:
        return _one_sided(given, found, facts)
    wrong = any(KINDS[kind].wrong for kind in found.counts)
    lost = _lost_stretch(given, found)
    error = wrong or bool(lost) or found.price_share < LEAST_PRICE_SHARE or _too_many(found)
    return RuleOutcome(
        of=found.minutes,
        fault=_fault(found, f"{lost}{_vendor_lacks(given, found)}{_halted(given)}"),
        bars=_interleaved(found.differing),
        severity=Severity.ERROR if error else Severity.WARN,
        facts=facts,
    )


@rule(
    sentence="No minute of the vendor's own has less volume than our seconds in it.",
    threshold="0 minutes",
    severity=Severity.WARN,
    scope=Scope.MINUTES,
    requires=Requires.VENDOR,
    aggregate_cure="Our seconds may have a print twice, or one that was cancelled since: re-materialize raw_1s for "
    "{partition}, then {asset}; if it stays, see what vendor_minutes finds in these minutes.",
    counts="minutes",
)
def volume_ladder(given: CheckInput) -> RuleOutcome:
    """Context: `vendor_…`."""
    found = _reconciled(given)
    bars = found.inverted
    if not bars.num_rows:
        return RuleOutcome(of=found.minutes, note=_compared(found))
    ours, theirs = (_number(bars[name][0]) for name in (VOLUME, f"vendor_{VOLUME}"))
    have, them = ("has", "it") if bars.num_rows == 1 else ("have", "them")
    fault = (
        f"{bars.num_rows:,} of {found.minutes:,} minutes of the vendor's {have} less volume than our seconds in "
        f"{them}; first at {as_text(bars[TIME][0])} (volume {ours}, the vendor's {theirs})"
    )
    return RuleOutcome(of=found.minutes, fault=fault, bars=bars)


@rule(
    sentence="Our seconds have all trades of the vendor's minutes: volumes that differ within 0.5 % do so both ways.",
    threshold="0 minutes with less volume and fewer trades; where trades are not counted, 12 minutes and 1 % of the "
    "month's, or 5 % of a session's, more with less volume than with more; an error where it is 5 % of the month's",
    blocking=False,
    scope=Scope.MINUTES,
    requires=Requires.VENDOR,
    aggregate_cure="Seconds are missing: re-materialize raw_1s for {partition}, then {asset}; if it stays, report the "
    "minutes to the vendor.",
    counts="minutes",
)
def thin_seconds(given: CheckInput) -> RuleOutcome:
    """What no minute shows alone, judged over the month, among the minutes that agree. Context: `vendor_…`, `trades`.

    Without numbers of trades, volumes alone are judged, and the result says why.
    """
    found = _reconciled(given)
    thin, uncounted = found.thin, given.trades_problem
    facts = _thin_facts(thin, uncounted)
    if not thin.rows.num_rows:
        also = f"by volume alone: {uncounted}" if uncounted else f"{thin.counted:,} also by their trades"
        return RuleOutcome(of=thin.compared, note=f"{quantity(thin.compared, 'minute')} compared, {also}", facts=facts)
    error = thin.rows.num_rows > _THIN_SHARE * thin.compared
    severity = Severity.ERROR if error else Severity.WARN
    return RuleOutcome(of=thin.compared, fault=_thin_fault(thin), bars=thin.rows, severity=severity, facts=facts)


def _thin_fault(thin: ThinSeconds) -> str:
    of = f"of {quantity(thin.compared, 'minute')} that agree"
    clauses = []
    if thin.fewer:
        few = f"{thin.fewer:,} {of} {'counts' if thin.fewer == 1 else 'count'} more volume and more trades on the "
        clauses.append(f"{few}vendor's side, {quantity(thin.lacking_trades, 'trade')} in all")
    if thin.one_sided:
        more = "none has less" if not thin.long else f"{thin.long:,} less"
        clauses.append(f"{thin.short:,} {of} have more volume on the vendor's side, within 0.5 %, and {more}")
    share = thin.lacking / thin.volume if thin.volume else 0.0
    row = thin.rows.slice(0, 1)
    names = [name for name in (VOLUME, "trades") if not row[name].null_count]
    first = ", ".join(
        f"{name} {_number(row[name][0])}, the vendor's {_number(row[f'vendor_{name}'][0])}" for name in names
    )
    lacking = f"{100 * share:.2g} % of the month's volume is in no second of ours"
    return f"{'; '.join(clauses)}: {lacking}; the first at {as_text(row[TIME][0])} ({first})"


def _thin_facts(thin: ThinSeconds, uncounted: str | None) -> Facts:
    return {
        "minutes with unequal volumes within the tolerance": f"{thin.short:,} with more on the vendor's side, "
        f"{thin.long:,} with more on ours",
        "numbers of trades": f"not compared: {uncounted}"
        if uncounted
        else f"compared in {quantity(thin.counted, 'minute')}; more on the vendor's side, with more volume, in "
        f"{thin.fewer:,}, and another number otherwise in {thin.other_counts:,}",
    }


def _reconciled(given: CheckInput) -> Reconciliation:
    """The minutes compared.

    Raises:
        ValueError: they could not be; a rule that requires the vendor is not asked then.
    """
    found = given.reconciled
    if isinstance(found, str):
        raise ValueError(f"a rule asked for minutes compared although {found}")  # noqa: TRY004 - no caller passes it
    return found


def _halted(given: CheckInput) -> str:
    """Long stretches of regular hours in which neither side has a minute, a clause; empty where there is none."""
    theirs = given.vendor.bars if given.vendor else None
    if theirs is None or not given.liquid:
        return ""
    starts, silent = bar_table.seconds(theirs), []
    for each in given.coverage.sessions:
        if each.is_present and each.gap_start and each.gap_seconds > LONG * MINUTE.seconds:
            begin, end = each.gap_start + _REST, each.gap_start + timedelta(seconds=each.gap_seconds)
            between = (starts >= begin.timestamp()) & (starts < end.timestamp())
            silent += [] if between.any() else [f"{each.session.date} from {eastern(begin)} to {eastern(end)}"]
    where = ", ".join(silent[:_NAMED]) + (f" and {len(silent) - _NAMED} more" if len(silent) > _NAMED else "")
    return f"; neither side has a minute of {where} Eastern, as in a halt of trading" if silent else ""


def _lost_stretch(given: CheckInput, found: Reconciliation) -> str:
    """The longest run of the vendor's minutes without any of ours in it, a clause; empty where none is long."""
    theirs = given.vendor.bars if given.vendor else None
    lacking = _lacking(found, VOLUME, DifferenceKind.MISSING_SECOND)
    stretch = "" if theirs is None else _longest(theirs, found, lacking)
    return f"; we have none of {stretch.format('the vendor has')}: lost" if stretch else ""


def _vendor_lacks(given: CheckInput, found: Reconciliation) -> str:
    """The same of our minutes without any of the vendor's."""
    stretch = _longest(given.own.present, found, _lacking(found, f"vendor_{VOLUME}", DifferenceKind.EXTRA_PRINT))
    return f"; the vendor has none of {stretch.format('we have')}" if stretch else ""


def _lacking(found: Reconciliation, column: str, kind: DifferenceKind) -> "npt.NDArray[np.bool_]":
    """Which of the minutes that differ are of a kind and absent on the side of a column."""
    kinds = np.array(found.differing[_KIND].to_pylist())
    mask: npt.NDArray[np.bool_] = np.asarray(found.differing[column].is_null()) & (kinds == str(kind))
    return mask


def _longest(minutes: pa.Table, found: Reconciliation, lacking: "npt.NDArray[np.bool_]") -> str:
    """The longest run of these minutes that the other side lacks, in words; empty where none is long."""
    if np.count_nonzero(lacking) < LONG:
        return ""
    starts = bar_table.seconds(minutes)
    gone = np.isin(starts, bar_table.seconds(found.differing)[lacking])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gone, [False]]).astype(np.int8)))
    firsts, ends = edges[::2], edges[1::2]
    at = int((ends - firsts).argmax())
    if ends[at] - firsts[at] < LONG:
        return ""
    begin, end = (utc(datetime.fromtimestamp(int(starts[row]), UTC)) for row in (firsts[at], ends[at] - 1))
    return f"the {ends[at] - firsts[at]:,} minutes that {{}} from {begin} to {end}"


def _too_many(found: Reconciliation) -> bool:
    """Whether more minutes differ than single prints explain."""
    lost = found.minutes - found.agreeing - found.counts.get(DifferenceKind.CARRIED_VOLUME, 0)
    return lost > max(_FEW, (1 - LEAST_SHARE) * found.minutes)


def _one_sided(given: CheckInput, found: Reconciliation, facts: Facts) -> RuleOutcome:
    """The outcome where one side has no minute at all, so that nothing could be compared."""
    month, minutes = f"{given.file.symbol} {given.file.month}", quantity(found.minutes, "minute")
    if found.only_ours:
        fault, cure = f"the vendor has no minutes of {month} at all, our seconds give {minutes}", _ASK_AGAIN_LATER
    else:
        fault, cure = f"we have no minutes of {month} at all, the vendor has {minutes}", _FETCH_AGAIN
    return RuleOutcome(of=found.minutes, fault=fault, bars=found.differing, facts=facts, cure=cure)


def _compared(found: Reconciliation) -> str:
    within = f", the volume of {found.off_within:,} within the tolerance: see thin_seconds" if found.off_within else ""
    return f"{quantity(found.minutes, 'minute')} compared{within}"


def _number(value: "pa.Scalar[pa.DataType]") -> str:
    """A price or volume as messages show it, without rounding noise: `17.22`, `36,959`, `9,099.618093`."""
    number = value.as_py()
    return f"{number:,.12g}" if isinstance(number, (int, float)) else as_text(value)


def _share(part: float) -> str:
    """`99.27 %` of a share of 0 to 1."""
    return f"{100 * part:.2f} %"


def _not_compared(given: CheckInput, why: str, severity: Severity, cure: str) -> RuleOutcome:
    fault = f"{given.file.path} could not be compared with the vendor's own minutes: {why}"
    return RuleOutcome(of=given.own.rows, fault=fault, count=0, severity=severity, cure=cure)


def _fault(found: Reconciliation, stretches: str) -> str:
    """How many differ, of which kinds; what explains whole sessions; the first of the worst kind, and its cure."""
    counts = found.counts
    parts = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    many = found.differing.num_rows
    differ = "differs" if many == 1 else "differ"
    clauses = [f"{many:,} of {found.minutes:,} minutes {differ} from the vendor's own: {parts}"]
    clauses += [cause.sentence for cause in found.causes]
    if found.pattern is not None:
        clauses.append(f"{found.pattern.sentence}, in {found.pattern.minutes:,} of them")
    if found.adjusted is not None and any(cause.price != 1 for cause in found.causes):
        clauses.append(f"both were requested {'adjusted' if found.adjusted else 'unadjusted'}")
    if found.price_share < LEAST_PRICE_SHARE:
        clauses.append(
            f"{_share(found.price_share)} of the minutes have the same prices, {_share(LEAST_PRICE_SHARE)} is the least"
        )
    if _too_many(found):
        share = _share(found.agreeing / found.minutes)
        clauses.append(f"{share} of the minutes agree, {_share(LEAST_SHARE)} is the least")
    # what explains most comes first: what no kind explains only where that is most
    worst = max(counts, key=lambda kind: (KINDS[kind].wrong and kind is not DifferenceKind.UNKNOWN, counts[kind]))
    told = "; ".join([*clauses, _first(found, worst)])
    return f"{told}{stretches}. {_meaning(found, worst)}"


def _meaning(found: Reconciliation, worst: DifferenceKind) -> str:
    """What happened and what to do, without the last full stop."""
    if found.pattern is not None:
        return found.pattern.advice.rstrip(".")
    special = next((cause.means for cause in found.causes if cause.kind is worst and cause.means), None)
    alone = np.count_nonzero(_lacking(found, f"vendor_{VOLUME}", DifferenceKind.EXTRA_PRINT))
    if worst is DifferenceKind.EXTRA_PRINT and 2 * alone > found.counts[worst]:
        special = _VENDOR_LACKS
    means, advice = special or (KINDS[worst].means, KINDS[worst].advice)
    return f"{worst}: {means}. {advice.rstrip('.')}"


def _first(found: Reconciliation, kind: DifferenceKind) -> str:
    """`the first unknown at 2024-01-02 14:30:00Z (close 475.3, the vendor's 475.4)`."""
    at = found.differing[_KIND].to_pylist().index(kind)
    row = found.differing.slice(at, 1)
    for column, who in ((VOLUME, "we do"), (f"vendor_{VOLUME}", "the vendor does")):
        if row[column].null_count:
            return f"the first {kind} at {as_text(row[TIME][0])}, which {who} not have"
    pairs = [(name, _number(row[name][0]), _number(row[f"vendor_{name}"][0])) for name in COLUMNS[1:]]
    values = ", ".join(f"{name} {ours}, the vendor's {theirs}" for name, ours, theirs in pairs if ours != theirs)
    return f"the first {kind} at {as_text(row[TIME][0])} ({values or 'the same on both sides'})"


def _facts(found: Reconciliation) -> Facts:
    share = found.agreeing / found.minutes if found.minutes else 1.0
    return {
        "minutes that differ, by kind": {str(kind): count for kind, count in found.counts.items()},
        "share of minutes that agree": f"{100 * share:.4f} %",
        "share of minutes with the same prices": f"{100 * found.price_share:.4f} %",
        "minutes on one side only": f"{found.only_ours:,} ours, {found.only_vendors:,} the vendor's",
        "volumes that are unequal within the tolerance": f"{found.off_within:,}",
        "largest deviation": f"price {found.largest_price:.6g} USD, volume "
        f"{100 * found.largest_volume:.4f} % of the larger",
    }


def _interleaved(differing: pa.Table) -> pa.Table:
    """The first of each kind, then the second of each, so that a sample shows them all."""
    kinds = np.array(differing[_KIND].to_pylist())
    turn = np.zeros(len(kinds), dtype=np.int64)
    for kind in np.unique(kinds):
        turn[kinds == kind] = np.arange((kinds == kind).sum())
    return differing.take(np.argsort(turn, kind="stable"))
