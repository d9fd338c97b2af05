"""What must hold of a file of bars: each rule's name, sentence, threshold and severity, and the judgement on a file.

A rule is a plain function on evidence, without Dagster::

    evidence = Evidence.of(BarFile.parse("raw_1s/SPY/SPY_2024_01.csv"), content)
    faults = [finding.message for finding in judge(evidence) if not finding.passed]

The family on form looks at the file alone: `values` at each bar, `writing` at its text, `against_raw` at an aggregate
beside its raw file. The others have a subject of their own: `whole` the exchange calendar (by way of
`against_calendar`), `plausible` bad prints, `basis` the splits that adjusted prices stand on, `life` when the bars were
fetched, `against_vendor` minutes beside the vendor's own. `reading` is a file as read, `evidence` all that is looked
at, `recompute` the second engine, `rule` and `wording` the vocabulary. Here is the list, and nothing is judged here.
"""

from collections.abc import Iterable
from typing import Final

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import against_raw, values, writing
from mohlcv_dagster.bars.rules.against_vendor import AGAINST_VENDOR
from mohlcv_dagster.bars.rules.basis import BASIS
from mohlcv_dagster.bars.rules.evidence import NOTHING_BESIDE, Beside, Evidence, Ground, Recorded, VendorMinutes
from mohlcv_dagster.bars.rules.life import LIFE
from mohlcv_dagster.bars.rules.plausible import PLAUSIBLE
from mohlcv_dagster.bars.rules.reading import Reading
from mohlcv_dagster.bars.rules.rule import (
    AFTER_RAW,
    RECORD_AGAIN,
    WRITE_AGAIN,
    Finding,
    Rule,
    Scope,
    Severity,
    evaluate,
)
from mohlcv_dagster.bars.rules.whole import WHOLE
from mohlcv_dagster.bars.timeframes import Timeframe
from mohlcv_dagster.errors import BrokenRulesError

__all__ = [
    "AGAINST_VENDOR",
    "FORM",
    "LIFE",
    "NOTHING_BESIDE",
    "OF_RECORD",
    "OF_VALUES",
    "PLAUSIBLE",
    "RULES",
    "WHOLE",
    "Beside",
    "Evidence",
    "Finding",
    "Ground",
    "Reading",
    "Recorded",
    "Rule",
    "Scope",
    "Severity",
    "VendorMinutes",
    "for_timeframe",
    "judge",
    "require",
]

FORM: Final = (
    Rule(
        name="readable",
        sentence="The file is CSV with ts_event, open, high, low, close and volume, each field a time or a number.",
        threshold="0 faults",
        check=writing.readable,
        ground=Ground.FILE,
    ),
    Rule(
        name="as_recorded",
        sentence="Row count and sha256 are those recorded when the file was written.",
        threshold="equal",
        check=writing.as_recorded,
        ground=Ground.FILE,
        cure=RECORD_AGAIN,
        aggregate_cure=RECORD_AGAIN,
    ),
    Rule(
        name="exact_form",
        sentence="The file is, byte for byte, what the contract writes for its bars.",
        threshold="0 bytes",
        check=writing.exact_form,
        counts="lines",
        cure=WRITE_AGAIN,
        aggregate_cure=WRITE_AGAIN,
    ),
    Rule(
        name="not_empty",
        sentence="The month has bars, or was proven empty and cannot have any.",
        threshold="at least 1 bar",
        check=values.not_empty,
        holds_back=False,
        cure="Is the symbol right, and was it listed then? Re-materialize {asset} for {partition}, or delete the file.",
    ),
    Rule(
        name="no_missing_values",
        sentence="No field is empty, NaN or infinite.",
        threshold="0 bars",
        check=values.no_missing_values,
    ),
    Rule(
        name="rising_time",
        sentence="Each bar starts later than the one before it; none is repeated.",
        threshold="0 bars",
        check=values.rising_time,
    ),
    Rule(
        name="inside_month",
        sentence="Every bar starts in the file's UTC month: first second inclusive, next month's exclusive.",
        threshold="0 bars",
        check=values.inside_month,
    ),
    Rule(
        name="aligned",
        sentence="Every bar starts on a multiple of the timeframe, counted from midnight UTC.",
        threshold="0 bars",
        check=values.aligned,
        scope=Scope.AGGREGATE,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="ohlc_order",
        sentence="High is the highest and low the lowest of open, high, low and close.",
        threshold="0 bars, no tolerance",
        check=values.ohlc_order,
    ),
    Rule(
        name="positive_prices",
        sentence="Open, high, low and close are above zero.",
        threshold="0 bars",
        check=values.positive_prices,
    ),
    Rule(
        name="non_negative_volume",
        sentence="Volume is zero or more.",
        threshold="0 bars",
        check=values.non_negative_volume,
    ),
    Rule(
        name="volume_traded",
        sentence="Volume is above zero: a bar stands for at least one trade.",
        threshold="0 bars",
        check=values.volume_traded,
        severity=Severity.WARN,
    ),
    Rule(
        name="volume_type",
        sentence="Volume is written as integers exactly where every volume of the raw file is whole.",
        threshold="0 files",
        check=writing.volume_type,
        ground=Ground.RAW,
        cure=WRITE_AGAIN,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="volume_precision",
        sentence="No volume has more than 6 decimals, or an exponent where 0.0001 share or more traded.",
        threshold="0 bars",
        check=writing.volume_precision,
    ),
    Rule(
        name="volume_conserved",
        sentence="Each bucket, and the file as a whole, holds exactly the volume of its raw bars.",
        threshold="0 shares",
        check=against_raw.volume_conserved,
        scope=Scope.AGGREGATE,
        ground=Ground.RAW,
        aggregate_cure=AFTER_RAW,
    ),
    Rule(
        name="equals_recomputation",
        sentence="The aggregate equals, bar for bar, what a second engine makes from the raw file.",
        threshold="0 bars",
        check=against_raw.equals_recomputation,
        scope=Scope.AGGREGATE,
        ground=Ground.RAW,
        aggregate_cure=AFTER_RAW,
    ),
)
"""What every file of bars must be, judged on the file alone (an aggregate: beside its raw file)."""

OF_VALUES: Final = frozenset({"ohlc_order", "positive_prices", "non_negative_volume"})
"""The rules of `FORM` that only the values of a bar break: its place among the others is still known."""

OF_RECORD: Final = frozenset({"as_recorded", *(rule.name for rule in (*BASIS, *LIFE))})
"""The rules that judge what was recorded of a file when it was written: without that they have nothing to say."""

RULES: Final = (*FORM, *WHOLE, *BASIS, *PLAUSIBLE, *LIFE)
"""Every rule on stored files. The names are those of the asset checks: a contract once published.

Those of `AGAINST_VENDOR` are apart: to judge by them the vendor must be asked.
"""


def for_timeframe(timeframe: Timeframe, among: tuple[Rule, ...] = RULES) -> tuple[Rule, ...]:
    """The rules that apply to files of `timeframe`, in the order of `among`."""
    return tuple(rule for rule in among if rule.scope.holds(timeframe))


def judge(evidence: Evidence, among: tuple[Rule, ...] = RULES) -> list[Finding]:
    """What every rule that applies says of the evidence; a rule whose ground is missing fails and says so."""
    rules = for_timeframe(evidence.file.timeframe, among)
    if among is RULES:
        evidence.begin()
    findings = [evaluate(rule, evidence) for rule in reversed(rules)]  # what was begun, the first ones ask for
    return findings[::-1]


def require(file: BarFile, findings: Iterable[Finding]) -> None:
    """Let `file` be used only when no rule failed that holds back what is made from it.

    Raises:
        BrokenRulesError: one did; the message gives each with what it found.
    """
    broken = [finding for finding in findings if finding.holds_back]
    if broken:
        faults = " ".join(f"{finding.rule.name}: {finding.message}" for finding in broken)
        rules = "1 rule" if len(broken) == 1 else f"{len(broken)} rules"
        raise BrokenRulesError(f"nothing is made from {file.path}, which breaks {rules}. {faults}")
