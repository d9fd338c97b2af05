"""No spike is missed by looking at candidates only: the definition, bar by bar in plain Python, finds the same bars."""

from statistics import median

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.bars.rules import PLAUSIBLE
from mohlcv_dagster.bars.rules.judging import evaluate
from mohlcv_dagster_tests.bars import made_months

MORNING = 1_720_598_400  # 2024-07-10 08:00:00 UTC
DAY = 86_400


def spikes_by_definition(days, prices, closes):
    """Positions of the spikes of one price, each bar held against its three windows."""
    typical = typical_mad(closes)
    return [at for at in range(len(prices)) if is_spike(days, prices, at, typical)]


def is_spike(days, prices, at, typical):
    around = [offset for offset in range(-50, 51) if offset and 0 <= at + offset < len(prices)]
    centred = [prices[at + offset] for offset in around if abs(offset) <= 25]
    after = [prices[at + offset] for offset in around if offset > 0]
    before = [prices[at + offset] for offset in around if offset < 0]
    windows = [window for window in (centred, after, before) if len(window) >= 10]
    if not windows:
        return False
    nearest = min(windows, key=lambda window: abs(prices[at] - median(window)))
    middle = median(nearest)
    deviation = abs(prices[at] - middle)
    tick = 0.01 if middle >= 1 else 0.0001
    if not deviation > 10 * max(mad(nearest, middle, tick), typical * middle) + 2 * tick:
        return False
    side = 1 if prices[at] > middle else -1
    if 10 * sum(side * (price - middle) >= deviation / 2 for price in nearest) > len(nearest):
        return False
    three = ((at - 3, at - 2, at - 1), (at + 1, at + 2, at + 3))
    sides = [[j for j in side if 0 <= j < len(prices) and days[j] == days[at]] for side in three]
    back = [any(abs(prices[j] - middle) <= deviation / 2 for j in side) for side in sides if side]
    return bool(back) and all(back)


def mad(window, middle, tick):
    return max(median([abs(price - middle) for price in window]), min(tick / 2, middle / 500))


def typical_mad(closes):
    """Of the first 50 closes, the next 50, ... each the median of the deviations that are not 0; their median."""
    blocks = [closes[start : start + 50] for start in range(0, len(closes) - 49, 50)]
    return median([typical_of(block) for block in blocks]) if blocks else 0.0


def typical_of(block):
    moved = [abs(price - median(block)) for price in block if price != median(block)]
    return median(moved) / median(block) if len(moved) >= 5 else 0.0


steps = st.sampled_from([0, 0, 0, 1, -1, 2, -2, 5])
factors = st.sampled_from([0.01, 0.1, 0.5, 0.95, 0.99, 0.995, 0.998, 1.001, 1.002, 1.005, 1.01, 1.05, 1.5, 10, 100])
prints = st.dictionaries(st.integers(0, 129), factors, max_size=8)


@st.composite
def months(draw):
    """Days, opens and closes of up to 130 bars: a walk on ticks with prints off it, nights between, some long still."""
    size = draw(st.integers(1, 130))
    tick, start = draw(st.sampled_from([(0.01, 10_000), (0.01, 150), (0.0001, 5_000)]))
    columns = []
    for moves, wrong in [(draw(st.lists(steps, min_size=size, max_size=size)), draw(prints)) for _ in range(2)]:
        walk = np.maximum(start + np.cumsum(moves), 20) * tick
        columns.append([round(float(walk[at] * wrong.get(at, 1)), 4) for at in range(size)])
    nights = draw(st.sets(st.integers(1, 129), max_size=4))
    days = np.cumsum([at in nights for at in range(size)]).tolist()
    return days, *columns


@settings(max_examples=100, deadline=None)
@given(months())
def test_the_candidates_hold_every_spike_there_is(month):
    days, opens, closes = month
    starts = np.array([MORNING + DAY * day + at for at, day in enumerate(days)])
    columns = {"open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes), "close": closes}
    prices = {name: np.array(column) for name, column in columns.items()}
    bars = bar_table.from_arrays(starts, prices, np.ones(len(starts), np.int64))
    (rule,) = [rule for rule in PLAUSIBLE if rule.name == "spikes"]
    finding = evaluate(rule, made_months.evidence("SPY", "2024-07", bars))

    due = sorted({*spikes_by_definition(days, opens, closes), *spikes_by_definition(days, closes, closes)})
    assert [int(start) for start in bar_table.seconds(finding.bars)] == [int(starts[at]) for at in due]
