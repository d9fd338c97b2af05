"""The rules that look for bad prints on whole months, made and real; and on any bars at all."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table, csv_codec
from mohlcv_dagster.bars.rules import PLAUSIBLE, RULES, Evidence
from mohlcv_dagster.bars.rules.judging import evaluate
from mohlcv_dagster_tests.bars import made_months, plausibility
from mohlcv_dagster_tests.bars.bad_prints import BAD_PRINTS, places, seeded_with
from mohlcv_dagster_tests.bars.clean_files import PLAUSIBLE_RULES
from mohlcv_dagster_tests.bars.made_bars import WEDNESDAY, made, second
from mohlcv_dagster_tests.real import REAL, needs_real

DOCS = Path(__file__).parents[2] / "docs"
QUIET_PENNY_STOCK, LIQUID = ("IR", "2016-08"), ("XLE", "2013-05")


def test_the_family_warns_of_raw_files_and_holds_nothing_back():
    assert tuple(rule.name for rule in PLAUSIBLE) == PLAUSIBLE_RULES
    assert {(rule.scope, rule.severity, rule.holds_back, rule.blocking) for rule in PLAUSIBLE} == {
        ("raw files", "warn", False, False)
    }
    assert [rule for rule in RULES if rule in PLAUSIBLE] == list(PLAUSIBLE)


@pytest.mark.parametrize(("symbol", "month"), [QUIET_PENNY_STOCK, LIQUID])
def test_every_bad_print_put_into_a_smooth_month_is_found_and_nothing_else_is_warned_of(symbol, month):
    tally = plausibility.measure([(symbol, month)], made_months.smooth)

    assert tally.missed == []
    assert tally.put.total() >= 60
    assert tally.alarms.total() == 0
    assert {kind.rule for kind in BAD_PRINTS if tally.put[str(kind)]} >= {"spikes", "wicks", "open_jumps"}
    assert [str(kind) for kind in BAD_PRINTS if kind.named and not tally.named[str(kind)]] == []


def test_several_bad_prints_in_one_month_are_all_found():
    symbol, month = LIQUID
    bars = made_months.smooth(symbol, month)
    chance = np.random.default_rng(11)
    spikes = [kind for kind in BAD_PRINTS if kind.rule == "spikes"]
    puts = [(spikes[n % len(spikes)], at) for n in range(6) for at in set(places(bars, chance).values())]
    puts = sorted({at // 200: (kind, at) for kind, at in puts}.values(), key=lambda put: put[1])
    wrong = np.unique(np.concatenate([np.arange(at, at + kind.bars) for kind, at in puts]))
    wrong = wrong[wrong < bars.num_rows]
    found = plausibility.judged(symbol, month, seeded_with(bars, puts), "spikes")

    assert len(puts) > 12
    assert bar_table.seconds(found.bars).tolist() == bar_table.seconds(bars)[wrong].tolist()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_page_of_figures_is_what_is_measured():
    assert (DOCS / "plausibility.md").read_text() == plausibility.page()


@needs_real
def test_real_sessions_of_spy_are_believed():
    bars = csv_codec.decode((REAL / "second" / "SPY_2013_10.csv").read_bytes())
    findings = [evaluate(rule, made_months.evidence("SPY", "2013-10", bars)) for rule in PLAUSIBLE]

    assert [finding.message for finding in findings if not finding.passed] == []


@needs_real
def test_of_a_real_day_round_the_clock_one_second_is_asked_about():
    bars = csv_codec.decode((REAL / "fractional" / "second.csv").read_bytes())
    findings = [evaluate(rule, made_months.evidence("X", "2016-10", bars)) for rule in PLAUSIBLE]

    assert [(finding.rule.name, finding.count) for finding in findings if not finding.passed] == [("spikes", 1)]
    (spike,) = findings[0].bars.to_pylist()
    assert spike["ts_event"] == datetime(2016, 10, 7, 17, 5, 14, tzinfo=UTC)
    assert (spike["close"], spike["median"]) == (613.95, 614.99)  # 615.42 before it, 615.07 after


@pytest.mark.parametrize("size", [0, 1, 2, 3, 11])
def test_a_few_bars_are_judged(size):
    evidence = made_months.evidence("SPY", "2024-07", made(WEDNESDAY, np.full(size, 100.0)))
    assert [finding.message for finding in map(evaluate, PLAUSIBLE, [evidence] * 4) if not finding.passed] == []


@pytest.mark.parametrize("ends", [(1e-300, 1e300), (5e-324, 1.7e308), (1e-5, 1e9)])
def test_prices_of_any_size_are_judged(ends):
    bars = made(WEDNESDAY, np.resize([*ends, ends[0]], 400), every=3600)
    for rule in PLAUSIBLE:
        evaluate(rule, made_months.evidence("SPY", "2024-07", bars, previous_close=ends[1]))


odd = st.sampled_from([None, float("nan"), float("inf"), -1.0, 0.0, 1e-300, 1e300, 99.99, 100.0, 100.0, 100.01, 1000.0])


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(st.none() | st.integers(0, 2 * 10**6), odd, odd, odd, odd), max_size=40), data=st.data())
def test_any_bars_at_all_are_judged_without_an_exception(rows, data):
    columns = list(zip(*rows, strict=True)) or [()] * 5
    starts = [None if offset is None else second(datetime(2024, 7, 1, tzinfo=UTC)) + offset for offset in columns[0]]
    prices = [pa.array(column, pa.float64()) for column in columns[1:]]
    moments, volume = pa.array(starts, pa.int64()).cast(bar_table.TIME_TYPE), pa.array([1] * len(rows), pa.int64())
    table = pa.table([moments, *prices, volume], schema=bar_table.bar_schema(whole_volume=True))
    known = data.draw(odd)
    evidence: Evidence = made_months.evidence("SPY", "2024-07", table, previous_close=known)
    for rule in PLAUSIBLE:
        finding = evaluate(rule, evidence)
        assert finding.passed == (finding.count == 0)
        assert finding.bars.num_rows <= len(rows)
