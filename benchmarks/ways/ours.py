"""This project's way, by its own functions: what `defs` joins to assets and checks, joined here without Dagster."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.case import Case
from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.bars.resample import Resampler
from mohlcv_dagster.checks.reading import Reading
from mohlcv_dagster.checks.rule import RuleResult, Severity
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.reader import BarReader

TIMEFRAMES = timeframes.parse_list("15s,30s,1min")


class _CountingArchive(Archive):
    """An archive that counts its reads."""

    reads = 0

    def open(self, file: BarFile) -> Any:  # noqa: ANN401 - a context manager, of a type that is contextlib's own
        """The bytes of `file`."""
        self.reads += 1
        return super().open(file)


def fetch(case: Case) -> pa.Table:
    """A month's bars, eight requests in flight."""
    with MassiveProvider("benchmark", case.url) as vendor:
        return vendor.fetch_month(case.symbol, Month.parse(case.month)).bars


def read(path: Path) -> pa.Table:
    """A file's bars."""
    with path.open("rb") as stream:
        return Reading.of_stream(stream, verify=False).present


load = read


def write(bars: pa.Table, path: Path) -> None:
    """A file: encoded, written under another name, flushed to disk, renamed."""
    Archive(path.parents[2]).write(_raw_at(path), csv_codec.encode_chunks(bars))


def text(bars: pa.Table) -> bytes:
    """The file that proves the bars."""
    return csv_codec.encode(bars)


def aggregate(case: Case) -> None:
    """The three aggregates, the raw file read once."""
    archive = Archive(case.folder)
    raw = _raw(case)
    folds = Resampler(BarReader(archive).read(raw).present)
    for timeframe in TIMEFRAMES:
        archive.write(BarFile(raw.symbol, timeframe, raw.month), csv_codec.encode_chunks(folds.into(timeframe)))


def recorded(case: Case) -> dict[BarFile, Provenance]:
    """What would have been recorded of the case's files when they were written."""
    archive = Archive(case.folder)
    readings = {file: BarReader(archive).read(file, verify=True) for file in _files(case)}
    return {file: Provenance(reading.rows, reading.sha256) for file, reading in readings.items()}


def check(case: Case, records: dict[BarFile, Provenance]) -> list[str]:
    """Every rule on the raw file and the aggregates; one read of each."""
    archive = _CountingArchive(case.folder)
    reader = BarReader(archive)
    findings = {file: reader.check(file, records.get(file)).results for file in _files(case)}
    if archive.reads != len(findings):
        raise AssertionError(f"{archive.reads} reads of {len(findings)} files: each is to be read once")
    return [f"{file}: {message}" for file, found in findings.items() for message in _errors(found)]


def month(case: Case) -> list[str]:
    """The whole job for each month, in the order of a run: each file checked as written; the faults found."""
    archive = Archive(case.folder)
    reader = BarReader(archive)
    faults: list[str] = []
    with MassiveProvider("benchmark", case.url) as vendor:
        for text_form in case.months:
            raw = BarFile(case.symbol, RAW, Month.parse(text_form))
            recorded = _written(archive, raw, vendor.fetch_month(raw.symbol, raw.month).bars)
            findings = list(reader.check(raw, recorded).results)
            for timeframe in TIMEFRAMES:
                file = BarFile(raw.symbol, timeframe, raw.month)
                findings += reader.check(file, _written(archive, file, reader.resample(file, recorded))).results
            faults += _errors(findings)
            reader.release()
    return faults


def symbols(case: Case) -> list[str]:
    """The whole job for each of several symbols, named with commas between, in one process."""
    return [fault for symbol in case.symbol.split(",") for fault in month(replace(case, symbol=symbol))]


def _written(archive: Archive, file: BarFile, bars: pa.Table) -> Provenance:
    """Write the file; what is recorded of it, for its checks."""
    written = archive.write(file, csv_codec.encode_chunks(bars))
    return Provenance(bars.num_rows, written.sha256)


def _errors(findings: Iterable[RuleResult]) -> list[str]:
    """What is wrong; generated months trade on holidays too, which is a warning."""
    return [each.message for each in findings if not each.passed and each.severity is Severity.ERROR]


def _raw(case: Case) -> BarFile:
    return BarFile(case.symbol, RAW, Month.parse(case.month))


def _files(case: Case) -> list[BarFile]:
    raw = _raw(case)
    return [raw, *(BarFile(raw.symbol, timeframe, raw.month) for timeframe in TIMEFRAMES)]


def _raw_at(path: Path) -> BarFile:
    return BarFile.parse(str(path.relative_to(path.parents[2])))
