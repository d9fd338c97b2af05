"""Clean files written by hand, edits of their bytes, and what a corruption is. No test and no single corruption."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.checks.registry import RULES, for_timeframe
from mohlcv_dagster.checks.rule import Rule, RuleResult
from mohlcv_dagster.checks.runner import evaluate
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Provenance

Edit = Callable[[bytes], bytes | None]

HEADER = b"ts_event,open,high,low,close,volume\n"
WHOLE = HEADER + (
    b"2024-01-02 14:30:00+00:00,475.32,475.45,475.28,475.4,15234\n"
    b"2024-01-02 14:30:01+00:00,475.4,475.41,475.39,475.4,100\n"
    b"2024-01-02 14:30:07+00:00,475.4,475.5,475.3,475.35,300\n"
    b"2024-01-02 14:30:15+00:00,475.35,475.36,475.2,475.25,250\n"
    b"2024-01-02 14:30:29+00:00,475.25,475.3,475.25,475.3,50\n"
    b"2024-01-02 14:31:00+00:00,475.3,475.3,475.3,475.3,720\n"
)
WHOLE_15S = HEADER + (
    b"2024-01-02 14:30:00+00:00,475.32,475.5,475.28,475.35,15634\n"
    b"2024-01-02 14:30:15+00:00,475.35,475.36,475.2,475.3,300\n"
    b"2024-01-02 14:31:00+00:00,475.3,475.3,475.3,475.3,720\n"
)
FRACTIONAL = HEADER + (
    b"2026-03-02 14:30:00+00:00,475.32,475.45,475.28,475.4,0.1\n"
    b"2026-03-02 14:30:01+00:00,475.4,475.41,475.39,475.4,0.2\n"
    b"2026-03-02 14:30:07+00:00,475.4,475.5,475.3,475.35,300.0\n"
    b"2026-03-02 14:30:15+00:00,475.35,475.36,475.2,475.25,9099.618093\n"
)
FRACTIONAL_15S = HEADER + (
    b"2026-03-02 14:30:00+00:00,475.32,475.5,475.28,475.35,300.3\n"
    b"2026-03-02 14:30:15+00:00,475.35,475.36,475.2,475.25,9099.618093\n"
)
CLEAN = {
    "raw_1s/SPY/SPY_2024_01.csv": WHOLE,
    "aggregated/15s/SPY_2024_01_15s.csv": WHOLE_15S,
    "raw_1s/SPY/SPY_2026_03.csv": FRACTIONAL,
    "aggregated/15s/SPY_2026_03_15s.csv": FRACTIONAL_15S,
}
RAW, AGGREGATE, RAW_FRACTIONAL, AGGREGATE_FRACTIONAL = CLEAN

FILE_RULES = ("readable", "as_recorded")
WHOLE_RULES = (
    "sessions_present",
    "minute_occupancy",
    "session_edges",
    "largest_gap",
    "session_coverage",
    "repeated_session",
    "second_bars",
    "trading_hours",
)
PLAUSIBLE_RULES = ("spikes", "wicks", "open_jumps", "level_shifts", "stale_prices")
FIELD_RULES = ("fields_together", "volume_level")
COMPANY_RULES = ("same_company",)
BASIS_RULES = ("split_basis",)
LIFE_RULES = ("settled", "revised")
"""Of a clean file: its few bars lack the month's other sessions; of a quiet symbol no more is checked."""
RAW_RULES = (
    *FILE_RULES,
    "exact_form",
    "not_empty",
    "no_missing_values",
    "rising_time",
    "inside_month",
    "ohlc_order",
    "positive_prices",
    "non_negative_volume",
    "volume_traded",
    "volume_type",
    "volume_precision",
    "price_precision",
)
AGGREGATE_RULES = (*RAW_RULES[:7], "aligned", *RAW_RULES[7:-1], "volume_conserved", "equals_recomputation")
"""With `price_precision` the family FORM: three bars are no month, so the others are not proven on these files."""

ON_MONTHS = (*WHOLE_RULES, *BASIS_RULES, *PLAUSIBLE_RULES, *FIELD_RULES, *COMPANY_RULES, *LIFE_RULES)
RAW_CHECKS = (*RAW_RULES, *ON_MONTHS)
"""Every check of `raw_1s`, in order."""
AGGREGATE_CHECKS = AGGREGATE_RULES
"""Every rule of an aggregate, in order."""
INTACT_RULES = (*FILE_RULES, "exact_form", "volume_type", "volume_precision", "price_precision")
"""Of a raw file; an aggregate has all but the last."""
EQUAL_RULES = (*INTACT_RULES[:-1], "equals_recomputation")
"""The rules that an aggregate is put to that equals what its raw file gives."""
NOT_WHOLE = ("sessions_present",)
"""The checks that a month of a few bars fails although its file is clean."""
NOT_BLOCKING = {"not_empty", "vendor_incident", "volume_traded", "price_precision", *ON_MONTHS}


def named(names: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules of these names, in the registry's order."""
    return tuple(rule for rule in RULES if rule.name in names)


FORM = named((*AGGREGATE_RULES, "price_precision"))
COMPLETENESS, PLAUSIBLE, FIELDS, LIFE = map(named, (WHOLE_RULES, PLAUSIBLE_RULES, FIELD_RULES, LIFE_RULES))


def check_form(of: CheckInput) -> list[RuleResult]:
    """The results of the rules on form: files of a few bars are clean in form, and never complete.

    An aggregate is checked by all of them, also by those that `run_rules` skips where it equals its raw file.
    """
    return [
        evaluate(rule, of) for rule in for_timeframe(of.file.timeframe, FORM) if of.skip_reason(rule.requires) is None
    ]


def recorded(content: bytes) -> Provenance:
    rows = [line for line in content.splitlines() if line][1:]
    return Provenance(rows=len(rows), sha256=sha256(content).hexdigest())


def clean(path: str) -> CheckInput:
    return input_of(path, CLEAN[path], raw=CLEAN[str(BarFile.parse(path).raw.path)])


def input_of(path: str, content: bytes | None, *, raw: bytes | None, facts: Provenance | None = None) -> CheckInput:
    """The input for a file that was recorded as it stands, unless `facts` say otherwise."""
    return CheckInput.of(BarFile.parse(path), content, raw=raw, provenance=facts or recorded(content or b""))


def swap(old: str, new: str) -> Edit:
    def edit(content: bytes) -> bytes:
        assert content.count(old.encode()) == 1, f"{old!r} must stand in the clean file once"
        return content.replace(old.encode(), new.encode())

    return edit


def everywhere(old: str, new: str) -> Edit:
    return lambda content: content.replace(old.encode(), new.encode())


def lines(order: Callable[[list[bytes]], list[bytes]]) -> Edit:
    """Edit the rows; the header stays."""
    return lambda content: HEADER + b"".join(order(content.removeprefix(HEADER).splitlines(keepends=True)))


def widen(content: bytes) -> bytes:
    """The columns that a file of the Databento sibling has more."""
    header, *rows = content.splitlines()
    wide = [header.replace(b"ts_event,", b"ts_event,rtype,publisher_id,instrument_id,") + b",symbol"]
    wide += [row.replace(b"+00:00,", b"+00:00,32,2,15144,") + b",SPY" for row in rows]
    return b"\n".join([*wide, b""])


def reorder(content: bytes) -> bytes:
    """Volume before the prices."""
    rows = [row.split(b",") for row in content.splitlines()]
    return b"\n".join([*(b",".join([row[0], row[5], *row[1:5]]) for row in rows), b""])


def same(content: bytes) -> bytes:
    return content


def gone(_: bytes) -> None:
    return None


@dataclass(frozen=True)
class Corruption:
    """A fault, the rule made to see it, and the other rules that must fail with it."""

    rule: str
    what: str
    path: str
    own: Edit = same
    also: tuple[str, ...] = ()
    severity: str = "error"
    raw: Edit = same
    facts: Callable[[bytes], Provenance | None] | None = None

    def given(self) -> CheckInput:
        content = self.own(CLEAN[self.path])
        file = BarFile.parse(self.path)
        raw = self.raw(CLEAN[str(file.raw.path)])
        # Recorded after the fault, unless said otherwise: else every fault would be seen by its digest alone.
        facts = recorded(content or b"") if self.facts is None else self.facts(CLEAN[self.path])
        return CheckInput.of(file, content, raw=raw, provenance=facts)

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"
