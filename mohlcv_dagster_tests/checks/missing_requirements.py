"""What rules need, taken away: which rule must tell of it, and which rules must then not be checked. No test."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from mohlcv_dagster.checks.check_input import CheckInput, VendorMinutes
from mohlcv_dagster.checks.registry import RULES, VENDOR_RULES, checks_for
from mohlcv_dagster.checks.runner import EQUALS_RAW, CheckResult, RuleRun, check_results, run_rules
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster_tests.checks.clean_files import (
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
from mohlcv_dagster_tests.checks.recorded_faults import GOOD

MINUTES = "aggregated/1min/SPY_2024_01_1min.csv"
WHOLE_1MIN = HEADER + (
    b"2024-01-02 14:30:00+00:00,475.32,475.5,475.2,475.3,15934\n2024-01-02 14:31:00+00:00,475.3,475.3,475.3,475.3,720\n"
)
EARLY = HEADER + b"1970-06-10 14:30:00+00:00,1.0,1.0,1.0,1.0,7\n"
UNREADABLE = WHOLE.replace(b"475.32", b"n/a")
ON_VENDOR = ("vendor_minutes", "volume_ladder", "thin_seconds")
AGAINST_RAW = ("volume_type", "volume_conserved", "equals_recomputation")
SILENT = VendorMinutes(None, "the plan does not reach 2024-01")


@dataclass(frozen=True)
class MissingRequirement:
    """Something that rules need and that is not there.

    Attributes:
        what: what is missing or of no use, in words.
        given: the input without it.
        fails: the rules that must fail, among those that do not fail of the same file with it.
        left: the rules that must not be checked; those aside that say how an aggregate differs from what it equals.
        unanswered: the checks that must have no answer.
    """

    what: str
    given: Callable[[], CheckInput]
    fails: tuple[str, ...]
    left: tuple[str, ...]
    unanswered: tuple[str, ...]

    def run(self) -> RuleRun:
        """What the rules say, those that ask the vendor too."""
        of = self.given()
        stored, asked = run_rules(of, RULES), run_rules(of, VENDOR_RULES)
        return RuleRun(stored.results + asked.results, stored.not_checked + asked.not_checked)

    def not_checked(self) -> dict[str, str]:
        """The rules that could not be checked, and why; those that need not be since the aggregate is equal are not."""
        return {rule.name: why for rule, why in self.run().not_checked if why != EQUALS_RAW}

    def check_results(self) -> list[CheckResult]:
        """What the checks say."""
        run = self.run()
        return check_results(checks_for(self.given().file.timeframe), run.results, run.not_checked)

    def __str__(self) -> str:
        return self.what


def _of(
    path: str, content: bytes | None, raw: bytes | None, vendor: VendorMinutes | None = None
) -> Callable[[], CheckInput]:
    def make() -> CheckInput:
        facts = replace(GOOD, sha256=recorded(content or b"").sha256, rows=max((content or b"\n").count(b"\n") - 1, 0))
        return replace(CheckInput.of(BarFile.parse(path), content, raw=raw, provenance=facts), vendor=vendor)

    return make


_OTHERS_OF_RAW = tuple(name for name in RAW_CHECKS if name != "readable")
_OTHERS_OF_AGGREGATE = tuple(name for name in AGGREGATE_CHECKS if name != "readable")
_ALL_BUT_INTACT = ("valid", "complete", "plausible", "current")

MISSING = (
    MissingRequirement("a raw file is absent", _of(RAW, None, None), ("readable",), _OTHERS_OF_RAW, _ALL_BUT_INTACT),
    MissingRequirement(
        "a raw file cannot be read", _of(RAW, UNREADABLE, None), ("readable",), _OTHERS_OF_RAW, _ALL_BUT_INTACT
    ),
    MissingRequirement(
        "an aggregate is absent", _of(AGGREGATE, None, WHOLE), ("readable",), _OTHERS_OF_AGGREGATE, ("matches_raw",)
    ),
    MissingRequirement(
        "a 1min aggregate cannot be read",
        _of(MINUTES, WHOLE_1MIN.replace(b"475.32", b"n/a"), WHOLE),
        ("readable",),
        (*_OTHERS_OF_AGGREGATE, *ON_VENDOR),
        ("matches_raw", "matches_vendor"),
    ),
    MissingRequirement(
        "the raw file of an aggregate is absent", _of(AGGREGATE, WHOLE_15S, None), (), AGAINST_RAW, ("matches_raw",)
    ),
    MissingRequirement(
        "the raw file of a 1min aggregate cannot be read",
        _of(MINUTES, WHOLE_1MIN, UNREADABLE),
        (),
        (*AGAINST_RAW, *ON_VENDOR),
        ("matches_raw", "matches_vendor"),
    ),
    MissingRequirement(
        "the raw file of an aggregate is unsorted",
        _of(AGGREGATE, WHOLE_15S, lines(lambda rows: rows[::-1])(CLEAN[RAW])),
        ("equals_recomputation",),
        ("volume_conserved",),
        (),
    ),
    MissingRequirement(
        "the exchange calendar does not cover the month",
        _of("raw_1s/SPY/SPY_1970_06.csv", EARLY, None),
        ("settled",),
        (*WHOLE_RULES, "stale_prices"),
        ("complete",),
    ),
    MissingRequirement(
        "the vendor does not answer",
        _of(MINUTES, WHOLE_1MIN, WHOLE, SILENT),
        ("vendor_minutes",),
        ("volume_ladder", "thin_seconds"),
        (),
    ),
)
"""Each with what is needed taken away from clean files."""
