"""What rules need, taken away: which rule must tell of it, and which rules must then not be judged. No test."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mohlcv_dagster.bars.rules import (
    AGAINST_VENDOR,
    RULES,
    Answer,
    Evidence,
    VendorMinutes,
    answers,
    checks_for,
    examine,
)
from mohlcv_dagster.bars.rules.judging import EQUAL, Judged
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster_tests.bars.clean_files import (
    AGGREGATE,
    AGGREGATE_CHECKS,
    CLEAN,
    HEADER,
    RAW,
    RAW_CHECKS,
    WHOLE,
    WHOLE_15S,
    WHOLE_RULES,
    lines,
    recorded,
)
from mohlcv_dagster_tests.bars.recorded_faults import GOOD

MINUTES = "aggregated/1min/SPY_2024_01_1min.csv"
WHOLE_1MIN = HEADER + (
    b"2024-01-02 14:30:00+00:00,475.32,475.5,475.2,475.3,15934\n2024-01-02 14:31:00+00:00,475.3,475.3,475.3,475.3,720\n"
)
EARLY = HEADER + b"1970-06-10 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n"
UNREADABLE = WHOLE.replace(b"475.32", b"n/a")
VENDOR_RULES = ("vendor_minutes", "volume_ladder")
AGAINST_RAW = ("volume_type", "volume_conserved", "equals_recomputation")
SILENT = VendorMinutes(None, "the plan does not reach 2024-01")


@dataclass(frozen=True)
class MissingGround:
    """Something that rules need and that is not there.

    Attributes:
        what: what is missing or of no use, in words.
        evidence: the evidence without it.
        fails: the rules that must fail, among those that do not fail of the same file with it.
        left: the rules that must not be judged; those aside that say how an aggregate differs from what it equals.
        unanswered: the checks that must have no answer.
    """

    what: str
    evidence: Callable[[], Evidence]
    fails: tuple[str, ...]
    left: tuple[str, ...]
    unanswered: tuple[str, ...]

    def judged(self) -> Judged:
        """What the rules say, those that ask the vendor too."""
        of = self.evidence()
        stored, asked = examine(of, RULES), examine(of, AGAINST_VENDOR)
        return Judged(stored.findings + asked.findings, stored.not_judged + asked.not_judged)

    def not_judged(self) -> dict[str, str]:
        """The rules that could not be judged, and why; those that need not be since the aggregate is equal are not."""
        return {rule.name: why for rule, why in self.judged().not_judged if why != EQUAL}

    def answers(self) -> list[Answer]:
        """What the checks say."""
        judged = self.judged()
        return answers(checks_for(self.evidence().file.timeframe), judged.findings, judged.not_judged)

    def __str__(self) -> str:
        return self.what


def _of(
    path: str, content: bytes | None, raw: bytes | None, vendor: VendorMinutes | None = None
) -> Callable[[], Evidence]:
    def make() -> Evidence:
        facts = replace(GOOD, sha256=recorded(content or b"").sha256, rows=max((content or b"\n").count(b"\n") - 1, 0))
        return replace(Evidence.of(BarFile.parse(path), content, raw=raw, recorded=facts), vendor=vendor)

    return make


_OTHERS_OF_RAW = tuple(name for name in RAW_CHECKS if name != "readable")
_OTHERS_OF_AGGREGATE = tuple(name for name in AGGREGATE_CHECKS if name != "readable")
_ALL_BUT_INTACT = ("valid", "complete", "plausible", "current")

MISSING = (
    MissingGround("a raw file is absent", _of(RAW, None, None), ("readable",), _OTHERS_OF_RAW, _ALL_BUT_INTACT),
    MissingGround(
        "a raw file cannot be read", _of(RAW, UNREADABLE, None), ("readable",), _OTHERS_OF_RAW, _ALL_BUT_INTACT
    ),
    MissingGround(
        "an aggregate is absent", _of(AGGREGATE, None, WHOLE), ("readable",), _OTHERS_OF_AGGREGATE, ("matches_raw",)
    ),
    MissingGround(
        "a 1min aggregate cannot be read",
        _of(MINUTES, WHOLE_1MIN.replace(b"475.32", b"n/a"), WHOLE),
        ("readable",),
        (*_OTHERS_OF_AGGREGATE, *VENDOR_RULES),
        ("matches_raw", "matches_vendor"),
    ),
    MissingGround(
        "the raw file of an aggregate is absent", _of(AGGREGATE, WHOLE_15S, None), (), AGAINST_RAW, ("matches_raw",)
    ),
    MissingGround(
        "the raw file of a 1min aggregate cannot be read",
        _of(MINUTES, WHOLE_1MIN, UNREADABLE),
        (),
        (*AGAINST_RAW, *VENDOR_RULES),
        ("matches_raw", "matches_vendor"),
    ),
    MissingGround(
        "the raw file of an aggregate is unsorted",
        _of(AGGREGATE, WHOLE_15S, lines(lambda rows: rows[::-1])(CLEAN[RAW])),
        ("equals_recomputation",),
        ("volume_conserved",),
        (),
    ),
    MissingGround(
        "the exchange calendar does not cover the month",
        _of("raw_1s/SPY/SPY_1970_06.csv", EARLY, None),
        ("settled",),
        (*WHOLE_RULES, "stale_prices"),
        ("complete",),
    ),
    MissingGround(
        "the vendor does not answer",
        _of(MINUTES, WHOLE_1MIN, WHOLE, SILENT),
        ("vendor_minutes",),
        ("volume_ladder",),
        (),
    ),
)
"""Each with what is needed taken away from clean files."""
