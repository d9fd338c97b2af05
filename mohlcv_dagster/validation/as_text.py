"""A report as plain text: a line for each file, each fault with its cure and its first bars below it."""

from collections.abc import Iterator
from typing import Final

from mohlcv_dagster.bars.quality import ERROR, OK, WARN
from mohlcv_dagster.validation.report import Entry, Fault, Report

MARKS: Final = {OK: "✓", WARN: "!", ERROR: "✗"}
_NAMES: Final = {ERROR: "error", WARN: "warning"}


def written(report: Report) -> str:
    """The whole report."""
    lines = [
        f"Validation of {report.input_dir}, {report.timeframe} bars",
        f"made {report.made_at:%Y-%m-%d %H:%M}Z by mohlcv {report.version}; raw files: {report.raw_dir or 'none'}",
        "",
        report.verdict,
        *remarks(report),
        "",
    ]
    for entry in report.entries:
        lines.append(f"{MARKS[entry.worst]} {headline(entry)}")
        for fault in entry.faults:
            lines += [f"    {line}" for line in (*told(fault), *_table(fault))]
        if command := report.command(entry):
            lines.append(f"    In the terminal: {command}")
    return "\n".join([*lines, ""])


def headline(entry: Entry) -> str:
    """`SPY 2024-01 1min  8,190 bars, 13 rules passed, 2 failed, 3 not judged`."""
    label = f"{entry.label} {entry.file.timeframe}"
    if entry.problem is not None:
        return f"{label}  nothing checked: {entry.problem}"
    rows = "no bars could be read" if entry.rows is None else f"{entry.rows:,} {'bar' if entry.rows == 1 else 'bars'}"
    skipped = f", {len(entry.skipped)} not judged" if entry.skipped else ""
    failed = f", {len(entry.faults)} failed" if entry.faults else ""
    passed = f"{len(entry.passed)} {'rule' if len(entry.passed) == 1 else 'rules'} passed"
    return f"{label}  {rows}, {passed}{failed}{skipped}"


def told(fault: Fault) -> Iterator[str]:
    """What is wrong, and the cure."""
    yield f"{_NAMES[fault.severity]} {fault.rule}: {fault.fault}"
    yield f"    {fault.cure}"


def remarks(report: Report) -> Iterator[str]:
    """What was not judged, and what was skipped."""
    for why, files, rules in report.not_judged():
        of = "every file" if files == len(report.entries) else f"{files:,} of {len(report.entries):,} files"
        yield f"Not judged of {of}: {', '.join(rules)} ({why})."
    for path, why in report.passed_over:
        yield f"Skipped: {path} ({why})."


def _table(fault: Fault) -> Iterator[str]:
    if not fault.sample:
        return
    rows = [fault.columns, *fault.sample]
    widths = [max(len(row[at]) for row in rows) for at in range(len(fault.columns))]
    for row in rows:
        cells = (
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "    " + "  ".join(cells).rstrip()
    if fault.count > len(fault.sample):
        yield f"    … and {fault.count - len(fault.sample):,} more {fault.counts}"
