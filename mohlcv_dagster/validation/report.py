"""The report of a validation, as plain values: the results for each file, with the first bars of each failed rule.

These bars are kept as texts, not as slices of the month, so that a report of many files stays small.
"""

import calendar
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Final, Self

from mohlcv_dagster.checks.rule import RuleResult, Severity
from mohlcv_dagster.checks.wording import as_text
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import ERROR, OK, WARN
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.validation.folder_check import CheckedFile

SAMPLE: Final = 20
"""How many offending bars a report shows for each failed rule."""

_WORST_FIRST: Final = (ERROR, WARN, OK)
_LEVEL: Final = {Severity.ERROR: ERROR, Severity.WARN: WARN}


@dataclass(frozen=True)
class RuleFailure:
    """A rule that failed.

    Attributes:
        path: in the layout, of the file that fails it: the one that was checked, or its raw file.
        rule: its name.
        severity: `error` or `warn`.
        sentence: what the rule requires.
        threshold: how large a breach is allowed.
        fault: what is wrong, with values.
        cure: what to do.
        count: how many offend; 0 if the fault is of the file itself.
        of: how many bars were checked.
        counts: what is counted, in the plural.
        columns: of the sample.
        sample: the first offending rows, as texts.
    """

    path: str
    rule: str
    severity: str
    sentence: str
    threshold: str
    fault: str
    cure: str
    count: int
    of: int
    counts: str
    columns: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]

    @classmethod
    def of_finding(cls, finding: RuleResult, file: BarFile) -> Self:
        """The part that the report keeps of a finding that did not pass."""
        first = finding.bars.slice(0, SAMPLE)
        names = tuple(first.column_names) if first.num_rows else ()
        rows = tuple(tuple(as_text(first[name][at]) for name in names) for at in range(first.num_rows))
        return cls(
            path=str(file.path),
            rule=finding.rule.name,
            severity=_LEVEL[finding.severity],
            sentence=finding.rule.sentence,
            threshold=finding.threshold,
            fault=finding.message.removesuffix(finding.cure).rstrip(),
            cure=finding.cure,
            count=finding.count,
            of=finding.of,
            counts=finding.rule.counts,
            columns=names,
            sample=rows,
        )


@dataclass(frozen=True)
class FileReport:
    """The results for a file.

    Attributes:
        file: which file.
        path: where it is.
        rows: its bars; `None` if it could not be read.
        passed: the rules that passed.
        faults: those that failed, errors first.
        skipped: those that could not be checked, and why.
        problem: why nothing was checked at all; `None` if something was.
    """

    file: BarFile
    path: str
    rows: int | None
    passed: tuple[str, ...]
    faults: tuple[RuleFailure, ...]
    skipped: tuple[tuple[str, str], ...]
    problem: str | None = None

    @classmethod
    def of(cls, checked: CheckedFile) -> Self:
        """The part that the report keeps of a checked file."""
        faults = [RuleFailure.of_finding(finding, checked.file) for finding in checked.findings if not finding.passed]
        if checked.raw is not None:
            faults.append(RuleFailure.of_finding(checked.raw, checked.file.raw))
        return cls(
            file=checked.file,
            path=checked.path,
            rows=checked.rows,
            passed=tuple(finding.rule.name for finding in checked.findings if finding.passed),
            faults=tuple(sorted(faults, key=lambda fault: fault.severity != ERROR)),
            skipped=tuple((rule.name, why) for rule, why in checked.skipped),
            problem=checked.problem,
        )

    @property
    def label(self) -> str:
        """`SPY 2024-01`."""
        return f"{self.file.symbol} {self.file.month}"

    @property
    def errors(self) -> int:
        """How many rules failed as errors."""
        return sum(fault.severity == ERROR for fault in self.faults)

    @property
    def worst(self) -> str:
        """`error`, `warn` or `ok`."""
        if self.problem is not None or self.errors:
            return ERROR
        return WARN if self.faults else OK


@dataclass
class ValidationReport:
    """The report of a validation.

    Attributes:
        input_dir: the folder, as it was named.
        timeframe: of its files.
        raw_dir: the folder of raw files that aggregates were compared with, as it was named; `None` if there was none.
        made_at: when, UTC.
        version: of this software.
        entries: the files, in order.
        skipped: what else is in the folder, and why it is not a file of bars.
    """

    input_dir: str
    timeframe: str
    raw_dir: str | None
    made_at: datetime
    version: str
    entries: list[FileReport] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def count(self, worst: str) -> int:
        """How many files have this as their worst result."""
        return sum(entry.worst == worst for entry in self.entries)

    @property
    def bars(self) -> int:
        """The bars of all files."""
        return sum(entry.rows or 0 for entry in self.entries)

    @property
    def failed(self) -> bool:
        """Whether a file has an error; warnings alone are not a failure."""
        return self.count(ERROR) > 0

    @property
    def worst_first(self) -> list[FileReport]:
        """The files with errors, then those with warnings, then the others, each in their order."""
        return sorted(self.entries, key=lambda entry: _WORST_FIRST.index(entry.worst))

    @property
    def months(self) -> list[Month]:
        """Every month from the first to the last that was checked."""
        found = [entry.file.month for entry in self.entries]
        return list(min(found).until(max(found))) if found else []

    def by_symbol(self) -> dict[str, list[FileReport | None]]:
        """For each symbol its files by `months`; `None` where a month has none."""
        known = {(entry.file.symbol, entry.file.month): entry for entry in self.entries}
        symbols = sorted({symbol for symbol, _ in known})
        return {symbol: [known.get((symbol, month)) for month in self.months] for symbol in symbols}

    @property
    def summary(self) -> str:
        """The counts, in a sentence."""
        files = len(self.entries)
        errors, warned = self.count(ERROR), self.count(WARN)
        text = f"{quantity(files, 'file')} checked: "
        text += f"{errors:,} with errors, {warned:,} with warnings alone, {self.count(OK):,} without either"
        if not errors and warned:
            text += ". Look at the warnings; the bars can be used"
        return f"{text}."

    def command(self, entry: FileReport) -> str | None:
        """The command that makes a file with errors again, or the raw file that it lacks; `None` if there is none."""
        file, month = entry.file, entry.file.month
        if entry.worst != ERROR or not entry.faults:
            return None
        last = calendar.monthrange(month.year, month.month)[1]
        span = ["--symbol", file.symbol, "--start", f"{month}-01", "--end", f"{month}-{last:02d}", "--force"]
        folder = PurePath(self.input_dir)
        if file.timeframe == RAW:
            # one symbol's own folder may have been checked, but the command takes the one above
            root = folder.parent if PurePath(entry.path).parent.name == folder.name == file.symbol else folder
            return shlex.join(["mohlcv", "fetch", *span, "--output-dir", str(root)])
        if self.raw_dir is not None and any(fault.path == str(file.raw.path) for fault in entry.faults):
            return shlex.join(["mohlcv", "fetch", *span, "--output-dir", self.raw_dir])
        if self.raw_dir is None or folder.name != file.timeframe.name:
            return None
        places = ["--input-dir", self.raw_dir, "--output-dir", str(folder.parent)]
        return shlex.join(["mohlcv", "resample", *span, "--timeframes", file.timeframe.name, *places])

    def not_checked(self) -> list[tuple[str, int, tuple[str, ...]]]:
        """Each reason why rules were not checked, for how many files, and which rules."""
        reasons: dict[str, dict[str, None]] = {}
        files: dict[str, int] = {}
        for entry in self.entries:
            for why in dict.fromkeys(why for _, why in entry.skipped):
                files[why] = files.get(why, 0) + 1
            for rule, why in entry.skipped:
                reasons.setdefault(why, {})[rule] = None
        return [(why, files[why], tuple(rules)) for why, rules in reasons.items()]


def collect(report: ValidationReport, checked: Iterable[CheckedFile]) -> Iterator[FileReport]:
    """Add files to a report one after the other, as they are checked."""
    for each in checked:
        entry = FileReport.of(each)
        report.entries.append(entry)
        yield entry
