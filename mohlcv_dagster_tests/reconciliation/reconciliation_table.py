"""docs/reconciliation.md, made of the kinds and of what became of every seeded difference."""

from collections import Counter

import numpy as np

from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.reconciliation import KINDS
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS
from mohlcv_dagster_tests.reconciliation.reconciled_months import busy, thin, winter
from mohlcv_dagster_tests.reconciliation.thinned import thinned
from mohlcv_dagster_tests.tables import table

_HEAD = """# Our minutes compared with the vendor's own

A file can keep every rule and still be wrong: a published month of SPY was labelled one second early throughout, and
minutes resampled from it agreed with it in every field. Only another source shows that. The vendor makes minutes of its
own from the trades, and a month of them is one request, so the check `matches_vendor` of `aggregated/1min` asks for
them. It has three rules: `vendor_minutes` compares ours with those, every minute on both sides, prices to the tick (the
same decimals), volume within 0.5 %. `volume_ladder` warns where a minute of the vendor's has less volume than our
seconds in it, relabelled and scaled first where that explains a session; volume that is only carried into the minute
beside it is left out. `thin_seconds` finds [lost seconds that no minute shows](#lost-seconds-that-no-minute-shows).

Every minute that differs is of one kind. What explains a whole session at once is looked for first and told once:
"every label of 2013-10-07 is 1 second early". What nearly all other minutes have in common is told once, too, where
it is one of these: two columns of prices are exchanged, prices are rounded, have decimals of arithmetic or are off by
one amount, a part of a session is on another level, the bars are another day's, or volumes alone differ nearly
everywhere. An aggregate that does not equal what its raw file gives is not compared. `vendor_minutes`

- passes with no minute that differs;
- **warns** where all that differ are known ways of the vendor, and says how many of which;
- is an **error** where one is of a kind marked so below, where prices differ in more than 1 % of the minutes, or where
  more than 12 and more than 5 % differ, volume that is only carried into the minute beside it left out;
- **warns** with the reason where the vendor did not answer, the plan has no minutes, or no key is set. It never passes
  without having looked, and never fails a run: an error here blocks nothing, since what we have was resampled exactly.

Asked is with the flag `adjusted` that was recorded of the raw month, and compared are the minutes wholly before the
moment up to which that was asked for. The request takes a place in the pool `massive_api`, so that a plan's limit
holds. The evaluation has the counts by kind, the share of minutes that agree, the largest deviation, the vendor's
request ids, and twenty of the minutes, some of each kind, ours beside the vendor's.

Which side is right the comparison cannot know. "Early" means that our labels are earlier than the vendor's. Nor can it
know what both sides have wrong alike, as minutes made from the same seconds do, except two things: a volume below zero,
and labels a second early on both sides where the opening auction is before the opening. Labels that are late on both
sides or early in a single session, and prices that are wrong on both, agree. Where no opening auction stands out,
`vendor_minutes` passes and says that early labels on both sides were not judged.

## The kinds

In the order in which they are tried, save that shifts and factors are looked for first, over all days (Eastern ones)
that differ at once, then over each.

"""

_SEEDED = """## What was seeded, and what was found

Each difference below was put into five clean sessions of a synthetic month, all of whose {minutes:,} minutes agree.
Made by `uv run python -m mohlcv_dagster_tests.checks.scoreboard`; a test holds this page equal to what is
found. The tests try the same seeds on real SPY seconds and on fractional volumes, and those of errors on a stock
that trades seldom.
"""


_THIN = """## Lost seconds that no minute shows

A minute may lose half a percent of its volume and still agree, if no second is lost that makes one of its prices. Over
a month such losses have one sign. `thin_seconds` looks for that, and at the numbers of trades where the vendor gives
them: [the rule](checks.md#thin_seconds).

The vendor's volumes were never unequal to ours on the real months at hand: in none of 1,648 minutes of SPY (2013) and
in none of 1,419 minutes with fractional volumes. So nothing is known of a real bias, and the thresholds are those that
chance leaves: of 16,000 made months of 21 sessions, whose volumes differ in 1, 5, 30 or 100 % of the minutes and to
either side at random, none was warned of. In the real SPY month 2,703 of 36,314 seconds can go unseen. Without all of
them 843 minutes are short and none is long. By volume alone they are found, and so is one in fifty of them (46
minutes), but not one in a hundred (21 minutes).

The same in synthetic bars: of the seconds that can go without being seen in their minute, a share is lost. *Minutes*
are those told of.

"""


def page() -> str:
    """The whole of docs/reconciliation.md."""
    rows = [
        (f"`{kind}`", meaning.means, meaning.evidence, "error" if meaning.wrong else "warn", meaning.advice)
        for kind, meaning in KINDS.items()
    ]
    found = [(seed, seed.make(winter()).reconcile()) for seed in SEEDS]
    return "\n".join(
        [
            _HEAD + table(("kind", "what happened", "what shows it", "is", "what to do"), rows),
            _SEEDED.format(minutes=winter().reconcile().agreeing),
            table(("seeded", "minutes", "found as", "told at once"), [_row(seed, outcome) for seed, outcome in found]),
            "### Seeded (rows) as found (columns), in minutes\n",
            _confusion(found),
            _THIN
            + table(("seconds", "lost of those that can go", "lost", "by volume alone", "trades counted"), _thin()),
        ]
    )


def _thin():
    for name, case in (("three sessions of SPY", busy()), ("six of a stock that trades seldom", thin())):
        rank = np.random.default_rng(7).random(len(case.seconds.t))
        for share in (1, 0.5, 0.1, 0.05, 0.02, 0.01):
            made = thinned(case, keep=rank >= share)
            lost = len(case.seconds.t) - len(made.case.seconds.t)
            told = [made.case.reconcile(trades=trades).thin.rows.num_rows for trades in (None, made.trades)]
            share_of_all = f"{lost:,} ({100 * lost / len(case.seconds.t):.2f} %)"
            yield (
                name,
                f"{100 * share:g} %",
                share_of_all,
                *(quantity(count, "minute") if count else "not" for count in told),
            )


def _row(seed, outcome):
    parts = ", ".join(f"`{kind}` {count:,}" for kind, count in outcome.counts.items())
    causes = "; ".join(cause.sentence for cause in outcome.causes)
    return seed.what, f"{sum(outcome.counts.values()):,}", parts, causes


def _confusion(found) -> str:
    cells: Counter[tuple[str, str]] = Counter()
    for seed, outcome in found:
        cells.update({(seed.kind, kind): count for kind, count in outcome.counts.items()})
    rows = [(f"`{seeded}`", *(f"{cells[seeded, kind]:,}" for kind in KINDS)) for seeded in KINDS]
    return table(("", *(f"`{kind}`" for kind in KINDS)), rows)
