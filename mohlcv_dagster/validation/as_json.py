"""A report as JSON, for scripts: the same as the other forms, all of it."""

import json
from collections.abc import Mapping

from mohlcv_dagster.bars.quality import ERROR, OK, WARN
from mohlcv_dagster.validation.report import Entry, Fault, Report


def written(report: Report) -> str:
    """The whole report, one document."""
    told = {
        "command": "validate",
        "ok": not report.failed,
        "input_dir": report.input_dir,
        "timeframe": report.timeframe,
        "raw_data_dir": report.raw_dir,
        "made_at": f"{report.made_at:%Y-%m-%dT%H:%M:%SZ}",
        "version": report.version,
        "counts": {"files": len(report.entries), **{worst: report.count(worst) for worst in (ERROR, WARN, OK)}},
        "passed_over": [{"path": path, "why": why} for path, why in report.passed_over],
        "files": [_file(report, entry) for entry in report.entries],
    }
    return json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def _file(report: Report, entry: Entry) -> Mapping[str, object]:
    return {
        "path": entry.path,
        "symbol": entry.file.symbol,
        "month": str(entry.file.month),
        "rows": entry.rows,
        "worst": entry.worst,
        "problem": entry.problem,
        "findings": [_fault(fault) for fault in entry.faults],
        "passed": list(entry.passed),
        "not_judged": [{"rule": rule, "why": why} for rule, why in entry.skipped],
        "command": report.command(entry),
    }


def _fault(fault: Fault) -> Mapping[str, object]:
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
