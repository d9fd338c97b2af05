"""Clean months as files, and how often each rule fails on one: a false alarm. No test lives here.

Raw bars and all aggregates are written as they would be stored, with all that is recorded of a settled, adjusted month;
the vendor's minutes are what the stand-in vendor serves.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import csv_codec, resample
from mohlcv_dagster.bars.trade_figures import MinuteTrades
from mohlcv_dagster.checks.check_input import CheckInput, VendorMinutes
from mohlcv_dagster.checks.registry import RULES, VENDOR_RULES, for_timeframe
from mohlcv_dagster.checks.rule import Rule, RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import AGGREGATED, MINUTE, RAW
from mohlcv_dagster_tests.checks.recorded_faults import GOOD
from mohlcv_dagster_tests.checks.vendor_faults import LIQUID, find, missing
from mohlcv_dagster_tests.checks.whole_corruptions import CLEAN, CLEAN_MONTHS
from mohlcv_dagster_tests.checks.whole_months import whole_month
from mohlcv_dagster_tests.reconciliation import reconciled_months
from mohlcv_dagster_tests.reconciliation.reconciled_months import Bars
from mohlcv_dagster_tests.reconciliation.thinned import without


def results(symbol: str, month: str) -> Iterator[RuleResult]:
    """What every rule says of each file of a clean month.

    Aggregates are put to all of them too, although they equal what their raw files give: else a rule that is not put to
    those would have no false alarm by saying nothing.
    """
    bars = whole_month(symbol, month)
    span = Month.parse(month)
    raw = _input_of(BarFile(symbol, RAW, span), csv_codec.encode(bars))
    yield from _by_every_rule(raw)
    for timeframe in AGGREGATED:
        folded = resample.resample(bars, timeframe)
        given = _input_of(BarFile(symbol, timeframe, span), csv_codec.encode(folded), raw)
        yield from _by_every_rule(given)
        if timeframe == MINUTE:
            trades = _trades(bars)
            vendor = VendorMinutes(folded, trades=trades)
            yield from _by_every_rule(replace(given, vendor=vendor, trades=trades), VENDOR_RULES)


def _trades(bars: pa.Table) -> MinuteTrades:
    """As the stand-in vendor counts them: some for each second, and the minute's are all of those."""
    case = reconciled_months.Case(Month.of(bars["ts_event"][0].as_py()), Bars.of(bars), Bars.of(bars).minutes())
    return without(case, np.zeros(bars.num_rows, bool)).trades[0]


def _by_every_rule(given: CheckInput, among: tuple[Rule, ...] = RULES) -> Iterator[RuleResult]:
    for rule in for_timeframe(given.file.timeframe, among):
        assert given.skip_reason(rule.requires) is None
        yield evaluate(rule, given)


def _input_of(file: BarFile, content: bytes, raw: CheckInput | None = None) -> CheckInput:
    recorded = replace(
        GOOD,
        rows=content.count(b"\n") - 1,
        sha256=sha256(content).hexdigest(),
        fetched_at=datetime(2025, 3, 1, tzinfo=UTC),
        complete_through=file.month.end,
    )
    return CheckInput.of(file, content, raw=raw.own if raw else None, provenance=recorded)


def false_alarms(months: Iterable[tuple[str, str]] = CLEAN) -> Counter[str]:
    """In how many clean months, given as symbol and month, each rule failed on one file or more."""
    alarms: Counter[str] = Counter()
    for symbol, month in months:
        alarms.update({found.rule.name for found in results(symbol, month) if not found.passed})
    return alarms


def false_incidents(months: Iterable[str] = CLEAN_MONTHS) -> tuple[int, int]:
    """In how many clean months of liquid symbols there was an incident, and how many months were looked at."""
    found = [bool(find({name: missing(name, month) for name in LIQUID}, month)) for month in months]
    return sum(found), len(found)
