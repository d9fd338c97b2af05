"""What is kept of a validation: plain values for each file, its findings and samples; how they look is for the others.

A finding keeps its first bars as texts, not the month they are cut from, so that a report of many files stays small.
"""

import calendar
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Final

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.quality import ERROR, OK, WARN
from mohlcv_dagster.bars.rules import Finding, Severity
from mohlcv_dagster.bars.rules.wording import as_text
from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.validation.judging import Judged

SAMPLE: Final = 20
"""How many offending bars a report shows of a finding."""

_LEVEL: Final = {Severity.ERROR: ERROR, Severity.WARN: WARN}


@dataclass(frozen=True)
class Fault:
    """A rule that does not hold.

    Attributes:
        path: in the layout, of the file that it does not hold of: the one that was checked, or the raw file of it.
        rule: its name.
        severity: `error` or `warn`.
        sentence: what should hold.
        threshold: how much of a breach is allowed.
        fault: what is wrong, with values.
        cure: what to do.
        count: how many offend; 0 where the file as a whole does.
        of: how many bars were looked at.
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
    def of_finding(cls, finding: Finding, file: BarFile) -> "Fault":
        """What is kept of a finding that did not pass."""
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
class Entry:
    """What was found of a file.

    Attributes:
        file: which file.
        path: where it stands.
        rows: its bars; `None` where it could not be read.
        passed: the rules that hold.
        faults: those that do not, errors first.
        skipped: those that could not be judged, and why.
        problem: why nothing was judged at all; `None` where something was.
    """

    file: BarFile
    path: str
    rows: int | None
    passed: tuple[str, ...]
    faults: tuple[Fault, ...]
    skipped: tuple[tuple[str, str], ...]
    problem: str | None = None

    @classmethod
    def of(cls, judged: Judged) -> "Entry":
        """What is kept of a judged file."""
        faults = [Fault.of_finding(finding, judged.file) for finding in judged.findings if not finding.passed]
        if judged.raw is not None:
            faults.append(Fault.of_finding(judged.raw, judged.file.raw))
        return cls(
            file=judged.file,
            path=judged.path,
            rows=judged.rows,
            passed=tuple(finding.rule.name for finding in judged.findings if finding.passed),
            faults=tuple(sorted(faults, key=lambda fault: fault.severity != ERROR)),
            skipped=tuple((rule.name, why) for rule, why in judged.skipped),
            problem=judged.problem,
        )

    @property
    def label(self) -> str:
        """`SPY 2024-01`."""
        return f"{self.file.symbol} {self.file.month}"

    @property
    def worst(self) -> str:
        """`error`, `warn` or `ok`."""
        if self.problem is not None or any(fault.severity == ERROR for fault in self.faults):
            return ERROR
        return WARN if self.faults else OK


@dataclass
class Report:
    """A validation.

    Attributes:
        input_dir: the folder, as it was named.
        timeframe: of its files.
        raw_dir: the raw files that aggregates were compared with, as they were named; `None` where there were none.
        made_at: when, UTC.
        version: of this software.
        entries: the files, in order.
        passed_over: what else stands in the folder, and why it is no file of bars.
    """

    input_dir: str
    timeframe: str
    raw_dir: str | None
    made_at: datetime
    version: str
    entries: list[Entry] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)

    def count(self, worst: str) -> int:
        """How many files have this for their worst."""
        return sum(entry.worst == worst for entry in self.entries)

    @property
    def failed(self) -> bool:
        """Whether a file has an error: warnings alone are no failure."""
        return self.count(ERROR) > 0

    @property
    def verdict(self) -> str:
        """The counts, in a sentence."""
        files = len(self.entries)
        errors, warned = self.count(ERROR), self.count(WARN)
        said = f"{files:,} {'file' if files == 1 else 'files'} checked: "
        said += f"{errors:,} with errors, {warned:,} with warnings alone, {self.count(OK):,} without either"
        if not errors and warned:
            said += ". Warnings ask to be looked at; the bars can be used"
        return f"{said}."

    def command(self, entry: Entry) -> str | None:
        """What writes a file with errors again, or the raw file that it lacks, in the terminal; `None` if nothing."""
        file, month = entry.file, entry.file.month
        if entry.worst != ERROR or not entry.faults:
            return None
        last = calendar.monthrange(month.year, month.month)[1]
        span = ["--symbol", file.symbol, "--start", f"{month}-01", "--end", f"{month}-{last:02d}", "--force"]
        folder = PurePath(self.input_dir)
        if file.timeframe == RAW:
            # one symbol's own folder may have been judged, the command wants the one above
            root = folder.parent if PurePath(entry.path).parent.name == folder.name == file.symbol else folder
            return shlex.join(["mohlcv", "fetch", *span, "--output-dir", str(root)])
        if self.raw_dir is not None and any(fault.path == str(file.raw.path) for fault in entry.faults):
            return shlex.join(["mohlcv", "fetch", *span, "--output-dir", self.raw_dir])
        if self.raw_dir is None or folder.name != file.timeframe.name:
            return None
        places = ["--input-dir", self.raw_dir, "--output-dir", str(folder.parent)]
        return shlex.join(["mohlcv", "resample", *span, "--timeframes", file.timeframe.name, *places])

    def not_judged(self) -> list[tuple[str, int, tuple[str, ...]]]:
        """Each reason why rules were not judged, of how many files, and which rules."""
        reasons: dict[str, dict[str, None]] = {}
        files: dict[str, int] = {}
        for entry in self.entries:
            for why in dict.fromkeys(why for _, why in entry.skipped):
                files[why] = files.get(why, 0) + 1
            for rule, why in entry.skipped:
                reasons.setdefault(why, {})[rule] = None
        return [(why, files[why], tuple(rules)) for why, rules in reasons.items()]


def collected(report: Report, judged: Iterable[Judged]) -> Iterable[Entry]:
    """Keep of each file what the report needs, one after the other, as they are judged."""
    for each in judged:
        entry = Entry.of(each)
        report.entries.append(entry)
        yield entry
