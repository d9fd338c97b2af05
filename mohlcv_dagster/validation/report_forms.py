"""The forms of a validation report: text, JSON for scripts, and one HTML page. All show the same facts.

The page is made from the template `report.html.jinja`. It needs nothing else: its one script, which searches, is in it.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.quality_rows import ERROR, OK, WARN
from mohlcv_dagster.validation.report import FileReport, RuleFailure, ValidationReport

MARKS: Final = {OK: "✓", WARN: "!", ERROR: "✗"}
_NAMES: Final = {ERROR: "error", WARN: "warning"}
_TEMPLATE: Final = "report.html.jinja"


def to_text(report: ValidationReport) -> str:
    """The report as plain text: a line for each file, each failed rule with its cure and its first bars below it."""
    lines = [
        f"Validation of {report.input_dir}, {report.timeframe} bars",
        f"made {report.made_at:%Y-%m-%d %H:%M}Z by mohlcv {report.version}; raw files: {report.raw_dir or 'none'}",
        "",
        report.summary,
        *remarks(report),
        "",
    ]
    for entry in report.entries:
        lines.append(f"{MARKS[entry.worst]} {headline(entry)}")
        for fault in entry.faults:
            lines += [f"    {line}" for line in (*failure_lines(fault), *_sample_lines(fault))]
        if command := report.command(entry):
            lines.append(f"    In the terminal: {command}")
    return "\n".join([*lines, ""])


def headline(entry: FileReport) -> str:
    """`SPY 2024-01 1min  8,190 bars, 13 rules passed, 2 failed, 3 not checked`."""
    label = f"{entry.label} {entry.file.timeframe}"
    if entry.problem is not None:
        return f"{label}  nothing checked: {entry.problem}"
    rows = "no bars could be read" if entry.rows is None else quantity(entry.rows, "bar")
    skipped = f", {len(entry.skipped)} not checked" if entry.skipped else ""
    failed = f", {len(entry.faults)} failed" if entry.faults else ""
    passed = f"{quantity(len(entry.passed), 'rule')} passed"
    return f"{label}  {rows}, {passed}{failed}{skipped}"


def failure_lines(fault: RuleFailure) -> Iterator[str]:
    """What is wrong, and the cure."""
    yield f"{_NAMES[fault.severity]} {fault.rule}: {fault.fault}"
    yield f"    {fault.cure}"


def remarks(report: ValidationReport) -> Iterator[str]:
    """The rules that were not checked, and the files that were skipped."""
    for why, files, rules in report.not_checked():
        of = "every file" if files == len(report.entries) else f"{files:,} of {len(report.entries):,} files"
        yield f"Not checked for {of}: {', '.join(rules)} ({why})."
    for path, why in report.skipped:
        yield f"Skipped: {path} ({why})."


def _sample_lines(fault: RuleFailure) -> Iterator[str]:
    if not fault.sample:
        return
    rows = [fault.columns, *fault.sample]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        yield "    " + "  ".join([first.ljust(widths[0]), *cells]).rstrip()
    if fault.count > len(fault.sample):
        yield f"    … and {fault.count - len(fault.sample):,} more {fault.counts}"


def to_json(report: ValidationReport) -> str:
    """The report as one JSON document."""
    document = {
        "command": "validate",
        "ok": not report.failed,
        "input_dir": report.input_dir,
        "timeframe": report.timeframe,
        "raw_data_dir": report.raw_dir,
        "made_at": f"{report.made_at:%Y-%m-%dT%H:%M:%SZ}",
        "version": report.version,
        "counts": {"files": len(report.entries), **{worst: report.count(worst) for worst in (ERROR, WARN, OK)}},
        "passed_over": [{"path": path, "why": why} for path, why in report.skipped],
        "files": [_file_document(report, entry) for entry in report.entries],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _file_document(report: ValidationReport, entry: FileReport) -> Mapping[str, object]:
    return {
        "path": entry.path,
        "symbol": entry.file.symbol,
        "month": str(entry.file.month),
        "rows": entry.rows,
        "worst": entry.worst,
        "problem": entry.problem,
        "findings": [_failure_document(fault) for fault in entry.faults],
        "passed": list(entry.passed),
        "not_judged": [{"rule": rule, "why": why} for rule, why in entry.skipped],
        "command": report.command(entry),
    }


def _failure_document(fault: RuleFailure) -> Mapping[str, object]:
    return {
        "rule": fault.rule,
        "file": fault.path,
        "severity": fault.severity,
        "fault": fault.fault,
        "cure": fault.cure,
        "threshold": fault.threshold,
        "count": fault.count,
        "counts": fault.counts,
        "of": fault.of,
        "sample": [dict(zip(fault.columns, row, strict=True)) for row in fault.sample],
    }


def to_html(report: ValidationReport) -> str:
    """The report as one HTML page, light or dark as the reader's system is: the files, then each failed rule."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["file_name"] = lambda path: PurePath(path).name
    return environment.get_template(_TEMPLATE).render(report=report, remarks=list(remarks(report)))
