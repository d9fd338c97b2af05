"""All rules in order, and the asset checks: groups of rules, each of which answers one question about a file."""

from dataclasses import dataclass
from typing import Final

from mohlcv_dagster.checks.aggregates import aligned, equals_recomputation, volume_conserved
from mohlcv_dagster.checks.bad_prints import repeated_session, stale_prices, wicks
from mohlcv_dagster.checks.completeness import (
    largest_gap,
    minute_occupancy,
    not_empty,
    session_edges,
    sessions_present,
)
from mohlcv_dagster.checks.fields_together import fields_together
from mohlcv_dagster.checks.file_form import (
    as_recorded,
    exact_form,
    price_precision,
    readable,
    volume_precision,
    volume_type,
)
from mohlcv_dagster.checks.finality import revised, same_company, settled, split_basis
from mohlcv_dagster.checks.price_jumps import level_shifts, open_jumps
from mohlcv_dagster.checks.rule import Rule
from mohlcv_dagster.checks.second_bars import second_bars
from mohlcv_dagster.checks.session_coverage import session_coverage
from mohlcv_dagster.checks.spikes import spikes
from mohlcv_dagster.checks.trading_hours import trading_hours
from mohlcv_dagster.checks.values import (
    inside_month,
    no_missing_values,
    non_negative_volume,
    ohlc_order,
    positive_prices,
    rising_time,
    volume_traded,
)
from mohlcv_dagster.checks.vendor_minutes import thin_seconds, vendor_minutes, volume_ladder
from mohlcv_dagster.checks.volume_level import volume_level
from mohlcv_dagster.model.timeframes import MINUTE, RAW, Timeframe

RULES: Final = (
    readable,
    as_recorded,
    exact_form,
    not_empty,
    no_missing_values,
    rising_time,
    inside_month,
    aligned,
    ohlc_order,
    positive_prices,
    non_negative_volume,
    volume_traded,
    volume_type,
    volume_precision,
    price_precision,
    volume_conserved,
    equals_recomputation,
    sessions_present,
    minute_occupancy,
    session_edges,
    largest_gap,
    session_coverage,
    repeated_session,
    second_bars,
    trading_hours,
    split_basis,
    spikes,
    wicks,
    open_jumps,
    level_shifts,
    stale_prices,
    fields_together,
    volume_level,
    same_company,
    settled,
    revised,
)
"""Every rule on stored files, in the order in which results are listed."""

VENDOR_RULES: Final = (vendor_minutes, volume_ladder, thin_seconds)
"""The rules for which the vendor must be asked now."""

VALUE_RULES: Final = frozenset({"ohlc_order", "positive_prices", "non_negative_volume"})
"""The rules that depend on a bar's values alone: when one fails, the order of the bars is still known."""

PROVENANCE_RULES: Final = frozenset({"as_recorded", "split_basis", "settled", "revised", "same_company"})
"""The rules on what was recorded of a file when it was written: without a record they cannot be checked."""


@dataclass(frozen=True)
class Check:
    """A question about a file, and the rules that answer it.

    Attributes:
        name: the name of its asset check, so it must not change.
        question: what it asks, one sentence.
        rules: in the order in which they are shown, the most important first.
        blocking: whether it can keep downstream files from being made; its blocking rules decide when it does.
        asks_vendor: whether the vendor must be asked, now, before it can be answered.
        decisive: the rule that must be checked; without it, a check in which no rule fails is not conclusive.
    """

    name: str
    question: str
    rules: tuple[Rule, ...]
    blocking: bool
    asks_vendor: bool
    decisive: Rule


def _check(name: str, question: str, *rules: Rule, decisive: Rule | None = None) -> Check:
    blocking = any(rule.blocking for rule in rules)
    asks_vendor = any(rule in VENDOR_RULES for rule in rules)
    return Check(name, question, rules, blocking, asks_vendor, decisive or rules[0])


_ON_BARS: Final = (
    no_missing_values,
    rising_time,
    inside_month,
    ohlc_order,
    positive_prices,
    non_negative_volume,
    volume_traded,
)
DIFFERENCE_RULES: Final = frozenset({volume_conserved, aligned, not_empty, *_ON_BARS})
"""The rules that show how an aggregate differs from what its raw file gives; they do not run on one that equals it."""

_IS_INTACT: Final = "Is the file the one that was written, in exact form?"
_ON_FORM: Final = (readable, as_recorded, exact_form, volume_type, volume_precision)
_RAW_CHECKS: Final = (
    _check("intact", _IS_INTACT, *_ON_FORM, price_precision),
    _check("valid", "Is every bar a bar?", *_ON_BARS),
    _check(
        "complete",
        "Is the month complete, by the exchange calendar?",
        not_empty,
        sessions_present,
        minute_occupancy,
        session_edges,
        largest_gap,
        session_coverage,
        repeated_session,
        second_bars,
        trading_hours,
        decisive=sessions_present,
    ),
    _check(
        "plausible",
        "Are there no bad prints?",
        spikes,
        wicks,
        open_jumps,
        level_shifts,
        stale_prices,
        fields_together,
        volume_level,
        same_company,
    ),
    _check("current", "Is this the vendor's final word, on today's basis of splits?", settled, revised, split_basis),
)
_AGGREGATE_CHECKS: Final = (
    _check("intact", _IS_INTACT, *_ON_FORM),
    _check(
        "matches_raw",
        "Does it equal, bar for bar, what a second engine gives for the raw file?",
        equals_recomputation,
        volume_conserved,
        aligned,
        not_empty,
        *_ON_BARS,
    ),
)
_MINUTE_CHECKS: Final = (
    *_AGGREGATE_CHECKS,
    _check("matches_vendor", "Does it agree with the vendor's own minutes?", *VENDOR_RULES),
)


def for_timeframe(timeframe: Timeframe, among: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules that apply to files of `timeframe`, in the order of `among`."""
    return tuple(rule for rule in among if rule.scope.includes(timeframe))


def checks_for(timeframe: Timeframe) -> tuple[Check, ...]:
    """The checks of files of `timeframe`, in the order of the dashboard."""
    if timeframe == RAW:
        return _RAW_CHECKS
    return _MINUTE_CHECKS if timeframe == MINUTE else _AGGREGATE_CHECKS
