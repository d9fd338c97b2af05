"""What Dagster knows, put into passports: facts of a materialization, and what checks said of the file."""

from collections.abc import Sequence
from datetime import datetime
from logging import Logger
from typing import TYPE_CHECKING

import dagster as dg

from mohlcv_dagster.checks.runner import CheckResult
from mohlcv_dagster.defs import metadata
from mohlcv_dagster.defs.metadata import Metadata
from mohlcv_dagster.errors import FileError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive

if TYPE_CHECKING:
    from mohlcv_dagster.defs.records import Record


def of(file: BarFile, facts: Metadata) -> ManifestEntry:
    """The passport of a file of which `facts` are recorded; no check has looked at it yet."""
    told = {name: value.value for name, value in facts.items()}
    adjusted = told.get("adjusted")
    return ManifestEntry(
        file=str(file.path),
        sha256=str(told["sha256"]),
        rows=int(str(told["dagster/partition_row_count"])),
        size=int(str(told.get("size_bytes", 0))),
        software=manifest.software_version(),
        first_bar=_moment(told.get("first_bar")),
        last_bar=_moment(told.get("last_bar")),
        vendor=_text(told.get("vendor")),
        adjusted=adjusted if isinstance(adjusted, bool) else None,
        fetched_at=metadata.moment_of(told, "fetched_at"),
        complete_through=metadata.moment_of(told, "complete_through"),
        state=_text(told.get("state")),
        request_ids=metadata.request_ids_of(told),
        raw_sha256=_text(told.get(metadata.RAW_DIGEST)),
    )


def facts_of(passport: ManifestEntry) -> Metadata:
    """What a passport tells of where the bars came from, as it is recorded; nothing of what it does not know."""
    told: dict[str, dg.MetadataValue] = {}
    for name in ("vendor", "state", metadata.RAW_DIGEST):
        if (text := getattr(passport, name)) is not None:
            told[name] = dg.MetadataValue.text(text)
    for name in ("fetched_at", "complete_through"):
        if (moment := getattr(passport, name)) is not None:
            told[name] = dg.MetadataValue.timestamp(moment)
    if passport.adjusted is not None:
        told["adjusted"] = dg.MetadataValue.bool(passport.adjusted)
    if passport.request_ids:
        told["request_ids"] = dg.MetadataValue.json(list(passport.request_ids))
    return told


def note(archive: Archive, file: BarFile, record: "Record | None", answers: Sequence[CheckResult], log: Logger) -> None:
    """Bring the manifest entry of `file` up to date with what its checks found.

    A disk that refuses is told in the log and fails nothing: to check files is to read, also on one that is read-only.
    """
    recorded = of(file, record.facts) if record else None
    verdicts = [RecordedResult.of(finding) for answer in answers for finding in answer.results]
    not_judged = [rule.name for answer in answers for rule, _ in answer.not_checked]
    try:
        manifest.update_checks(archive, file, recorded, verdicts, not_judged)
    except FileError as error:
        log.warning("%s was checked, and its manifest entry does not say so: %s", file, error)


def _moment(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
