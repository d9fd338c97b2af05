"""What the rules that look for bad prints find, and how often they warn for nothing: measured on whole months.

The page is docs/plausibility.md; a slow test holds it equal to what is measured. The months are in `made_months`, the
bad prints in `bad_prints`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from statistics import median

import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.checks.rule import RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.sandbox.synthetic_market import seeded_generator
from mohlcv_dagster_tests.checks import made_months
from mohlcv_dagster_tests.checks.bad_prints import BAD_PRINTS, BadPrint, places, seeded_with
from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE
from mohlcv_dagster_tests.tables import table

RULES = {rule.name: rule for rule in PLAUSIBLE}

MONTHS = (
    ("SPY", "2024-01"),
    ("SPY", "2008-10"),
    ("AAPL", "2013-07"),
    ("MSFT", "2026-03"),
    ("IBM", "2018-12"),
    ("F", "2009-03"),
    ("A", "2006-02"),
    ("C", "2012-06"),
    ("T", "2011-08"),
    ("KO", "2020-03"),
    ("XLE", "2013-05"),
    ("TTD", "2026-04"),
    ("GE", "2015-11"),
    ("AV", "2019-05"),
    ("FJ", "2012-11"),
    ("IR", "2016-08"),
)
"""Symbol and month: from 40,000 bars a day to 350, from 2006 to 2026, with early closes and fractional volumes."""

# ruff: noqa: E501 - the lines of the page are those of the docs

PAGE = """# Bad prints: share found, and false alarms a month

Five of [the checks'](checks.md#plausible) rules look for bad prints: `spikes`, `wicks`, `open_jumps`, `level_shifts` and `stale_prices`. This page shows how
many bad prints they find that were put into whole months, and how often they warn where none was put.

**Found: {found:,} of {put:,} ({share:.1f} %); in the smooth months {found_smooth:,} of {put_smooth:,}, in the rough ones {found_rough:,} of {put_rough:,}.**
**False alarms a month: {alarms_smooth:.1f} bars in the smooth months; in the rough ones {alarms_rough:.1f} on average, {usual} in the median month.**

Made by `uv run python -m mohlcv_dagster_tests.checks.scoreboard`; a slow test compares the page with what is measured.

The months are synthetic.

- *Smooth* months are those of the sandbox, calmer than a market. That no rule warns there says little.
- *Rough* months are worse than a market, on every day: fat-tailed steps in clusters, trades at the bid with 30, 10 or 3 in 100 at the ask,
  up to 1.5 % apart in extended hours, sweeps of several spreads that fade within seconds, halts, nights of up to 9 %.

Most false alarms of the rough months are in thin symbols, where now and then a trade in extended hours is at the other side of a spread of more
than 1 %. Six in ten of the others are sweeps. On a real tape one would want to look at a few of either, not at hundreds. The rules were
tuned on these months, so the figures are a little too good.

There were few real bars to try the rules on. In two sessions of SPY (7 and 8 October 2013, 36,314 bars) no rule warns: one price reaches
0.7 of what is allowed, all others stay below 0.6. In a day of a market that is open round the clock (4,063 bars with fractional volumes) `spikes`
warns of one second, whose close is 0.17 % below the median around it and back in the next.

## What the bars alone do not show

These are not found without another source, since unaltered months look the same:

- prices of a quiet symbol that stand still for ten minutes: sound months of such a symbol have runs of ten bars at one price, and two sessions of SPY one of
  31. `stale_prices` looks at liquid symbols, and at seconds that were filled in;
- an hour of another symbol less than 0.5 % off, or where the price makes such steps by itself, unless it trades far less.
  Of 60 that were put 1 % off 50 were found, of those 2 % off all: the price may come near by the hour's end;
- volumes of a quiet symbol beside other bars' prices, and open and close of one day exchanged: too few bars move within their second. `fields_together` says
  what it could not judge;
- a whole month whose volumes were divided by 100 and rounded;
- labels a second late or early of a symbol without a bar in the first or last second of any session: `trading_hours` says so;
- seconds lost at random in every session alike, or of a symbol with fewer than 300 bars in half an hour. The vendor's minutes show it.

`fields_together` and `volume_level` look at bars of the whole month: they are in [the scoreboard](scoreboard.md#whole-months). The prices of the rough months were
made without regard to their volumes, so `fields_together` warns rightly of some of them and is not counted here.

## Found

Each kind of bad print is put, one at a time, into places of each month: its first and last bar, the first and last bar of a session,
pre-market and regular hours. A jump is put at a night; another level before or within regular hours; prices that do not move are put into the regular hours of a symbol that trades all the time. A bad print
is found if the rule made for it warns of every one of its bars. Missed in the rough months are

- 5 % at the start or end of a session when the night moves the price about as far: it could be the first step of a real move, or its last;
- 5 % where bid and ask are 1.5 % apart and prices jump between them;
- a wick between neighbours that are not within 0.5 % themselves.

{kinds}
All {splits} splits were put at nights that moved the price as well. `looks_like` names {named} of them; a night of more than 3 % hides the ratio.

## False alarms

Bars a month with a warning where no bad print was put: the mean, and how many of the months have one.

{alarms}
## The months

{table}"""


@dataclass
class Tally:
    """What came of the months of one make."""

    put: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    named: Counter[str] = field(default_factory=Counter)
    alarms: Counter[str] = field(default_factory=Counter)
    missed: list[str] = field(default_factory=list)
    bars: dict[tuple[str, str], int] = field(default_factory=dict)
    opens: dict[tuple[str, str], float] = field(default_factory=dict)
    warned_months: Counter[str] = field(default_factory=Counter)
    by_month: Counter[tuple[str, str]] = field(default_factory=Counter)


def measure(months: Iterable[tuple[str, str]], make: Callable[[str, str], pa.Table]) -> Tally:
    """Put every kind of bad print to every place of each month, one at a time, and count what is warned of."""
    tally = Tally()
    for symbol, month in months:
        bars = make(symbol, month)
        tally.bars[symbol, month] = bars.num_rows
        tally.opens[symbol, month] = bars["open"][0].as_py()
        for name in RULES:
            count = checked(symbol, month, bars, name).count
            tally.alarms[name] += count
            tally.by_month[symbol, month] += count
            tally.warned_months[name] += count > 0
        for kind, place, at in seeds(symbol, month, bars):
            found = checked(symbol, month, seeded_with(bars, [(kind, at)]), kind.rule)
            tally.put[str(kind)] += 1
            tally.found[str(kind)] += caught(found, bars, kind, at)
            tally.named[str(kind)] += kind.named is not None and kind.named in names_of(found, bars, at)
            if not caught(found, bars, kind, at):
                tally.missed.append(f"{kind} at the {place} of {symbol} {month}")
    return tally


def seeds(symbol: str, month: str, bars: pa.Table) -> Iterator[tuple[BadPrint, str, int]]:
    """Each kind of bad print with each place of the month it can be put to."""
    chance = seeded_generator(symbol, month, "bad prints")
    for kind in BAD_PRINTS:
        there = places(bars, chance)
        yield from ((kind, place, there[place]) for place in kind.where if place in there)


def checked(symbol: str, month: str, bars: pa.Table, rule: str) -> RuleResult:
    """What one rule says of a month's bars."""
    return evaluate(RULES[rule], made_months.input_of(symbol, month, bars, adjusted=False))


def caught(found: RuleResult, bars: pa.Table, kind: BadPrint, at: int) -> bool:
    """Whether the result holds every bar of a bad print put to a position."""
    wrong = bar_table.seconds(bars)[at : at + kind.bars]
    if "run_length" not in found.bars.column_names:
        return bool(np.isin(wrong, bar_table.seconds(found.bars)).all())
    lasts = found.bars["last_ts_event"].cast(pa.int64()).to_numpy()
    return bool(((bar_table.seconds(found.bars) <= wrong[0]) & (lasts >= wrong[-1])).any())


def names_of(found: RuleResult, bars: pa.Table, at: int) -> list[str]:
    """What the result says that the bar at a position looks like."""
    rows = found.bars.filter(pa.array(bar_table.seconds(found.bars) == bar_table.seconds(bars)[at]))
    return rows["looks_like"].to_pylist() if "looks_like" in rows.column_names else []


@cache
def measured() -> tuple[Tally, Tally]:
    """What came of the smooth months and of the rough ones: a minute or two of work, done once."""
    return measure(MONTHS, made_months.smooth), measure(MONTHS, made_months.rough)


def page() -> str:
    """The page of docs, measured anew."""
    smooth, rough = measured()
    splits = [str(kind) for kind in BAD_PRINTS if kind.named]
    put, found = (smooth.put + rough.put).total(), (smooth.found + rough.found).total()
    return PAGE.format(
        found=found,
        put=put,
        share=100 * found / put,
        found_smooth=smooth.found.total(),
        put_smooth=smooth.put.total(),
        found_rough=rough.found.total(),
        put_rough=rough.put.total(),
        alarms_smooth=smooth.alarms.total() / len(MONTHS),
        alarms_rough=rough.alarms.total() / len(MONTHS),
        usual=f"{median(rough.by_month.values()):g}",
        kinds=_kinds(smooth, rough),
        named=sum(smooth.named[kind] + rough.named[kind] for kind in splits),
        splits=sum(smooth.put[kind] + rough.put[kind] for kind in splits),
        alarms=_alarms(smooth, rough),
        table=_months(smooth, rough),
    )


def _kinds(smooth: Tally, rough: Tally) -> str:
    rows = []
    for kind in BAD_PRINTS:
        counts = [f"{tally.found[str(kind)]} of {tally.put[str(kind)]}" for tally in (smooth, rough)]
        rows.append((f"`{kind.rule}`", kind.what, *counts))
    return table(("rule", "bad print", "found in smooth months", "in rough months"), rows)


def _alarms(smooth: Tally, rough: Tally) -> str:
    rows = []
    for name in RULES:
        counts = [
            f"{tally.alarms[name] / len(MONTHS):.1f} ({tally.warned_months[name]} of {len(MONTHS)} months)"
            for tally in (smooth, rough)
        ]
        rows.append((f"`{name}`", *counts))
    return table(("rule", "bars a smooth month", "bars a rough month"), rows)


def _months(smooth: Tally, rough: Tally) -> str:
    rows = [
        (
            *month,
            f"{smooth.opens[month]}",
            *(f"{tally.bars[month]:,}" for tally in (smooth, rough)),
            f"{rough.by_month[month]:,}",
        )
        for month in MONTHS
    ]
    head = ("symbol", "month", "first price, US dollars", "bars, smooth", "bars, rough", "false alarms, rough")
    return table(head, rows)
