"""The rules that look for bad prints: bars that are well formed and yet can hardly be what was traded.

All of them warn and hold nothing back: a warning asks for a look, since the market itself does odd things.
"""

from typing import Final

from mohlcv_dagster.bars.rules.rule import Ground, Rule, Scope, Severity

_LOOK: Final = (
    "Compare {partition} at that time with another source, such as the vendor's minute bars: "
    "a real move needs nothing; report a bad print to the vendor, and delete no bar."
)

PLAUSIBLE: Final = (
    Rule(
        name="spikes",
        sentence="No open or close stands far off the prices around it and is back within 3 bars.",
        threshold="10 median deviations (MAD) and 2 ticks from the nearest of three 50-bar medians",
        judged_in="plausible.spikes",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        cure=_LOOK,
    ),
    Rule(
        name="wicks",
        sentence="No high or low reaches far beyond its bar's open and close between two quiet bars.",
        threshold="3 % beyond, with both neighbours within 0.5 %",
        judged_in="plausible.wicks",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        cure=_LOOK,
    ),
    Rule(
        name="open_jumps",
        sentence="Each session opens near the close before it.",
        threshold="10 %",
        judged_in="plausible.jumps",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        cure="Look for a split, a dividend or news of that day: a real move needs nothing. Else compare {partition} "
        "with another source, report a bad print to the vendor, and delete no bar.",
    ),
    Rule(
        name="stale_prices",
        sentence="The price of a liquid symbol does not stand still in regular hours.",
        threshold="fewer than 120 unchanged bars in a row",
        judged_in="plausible.stale",
        severity=Severity.WARN,
        holds_back=False,
        scope=Scope.RAW,
        ground=Ground.CALENDAR,
        cure=_LOOK,
    ),
)
"""Whether bars are believable, judged on a raw file."""
