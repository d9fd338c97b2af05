"""The step of `quality/coverage`: it writes the table, shows it in metadata, and looks for incidents of the vendor."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from mohlcv_dagster.bars import incidents, parquet_codec, runtime
from mohlcv_dagster.bars.incidents import Gap, Incident
from mohlcv_dagster.defs import metadata, quality_events, quality_history, quality_page, records
from mohlcv_dagster.defs.asset_checks import SAMPLE
from mohlcv_dagster.defs.failures import as_dagster_failure
from mohlcv_dagster.defs.partitions import SYMBOL, partition_key
from mohlcv_dagster.defs.quality_asset import KEY, VENDOR_INCIDENT
from mohlcv_dagster.defs.quality_events import History, name_of
from mohlcv_dagster.defs.quality_rows import CheckedAssets, QualityRow, rows
from mohlcv_dagster.defs.resources import ArchiveResource
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar, quality_rows
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthStatus
from mohlcv_dagster.storage.archive import Archive, Written

if TYPE_CHECKING:
    from mohlcv_dagster.model.quality_rows import MonthQuality

MOST_SHOWN: Final = 50
"""Rows of the table in the UI: each stays in the event log for ever. The file has them all."""
MOST_NAMED: Final = 5
"""Symbols that a message names, and of which request ids are quoted."""
MOST_IDS: Final = 6
"""Request ids quoted of a symbol's month."""

_SHOWN: Final = {
    "symbol": "symbol",
    "month": "month",
    "status": "status",
    "worst": "worst",
    "why": "why",
    "failing": "failing",
    "stale": "stale",
    "state": "state",
    "sessions_present": "sessions",
    "sessions_expected": "of",
    "occupancy": "occupancy",
    "largest_gap_minutes": "gap, min",
    "outside_hours": "outside",
    "mismatches": "mismatches",
    "revised": "revised",
    "not_judged": "not judged",
}
"""The columns of the table in the UI and their heads there; the page cuts it at the right."""


class QualityReader:
    """Reads what is new since the table was made, and gives every row.

    Args:
        instance: whose event log is read.
        archive: where the table is.
        checked: the assets and checks to read.
    """

    def __init__(self, instance: dg.DagsterInstance, archive: Archive, checked: CheckedAssets) -> None:
        self._instance, self._archive, self._checked = instance, archive, checked
        self._names = {
            "assets": [key.to_user_string() for key in checked.assets],
            "checks": [name_of(check) for check in checked.checks],
        }
        self._history = History()

    def read(self) -> list[QualityRow]:
        """Every month that is stored or was asked for, in no order of use.

        Raises:
            FileError: the disk refused to give the table or the file of its state.
        """
        self._history = quality_events.load(self._instance, self._archive, self._names)
        quality_history.update(self._instance, self._checked.assets, self._checked.checks, self._history)
        kept = frozenset(self._instance.get_dynamic_partitions(SYMBOL))
        return rows(self._history.months, self._checked, kept)

    def save(self, run_id: str, table_sha256: str) -> None:
        """Write what was read for the next time; see `quality_events.save`."""
        quality_events.save(self._archive, self._history, self._names, run=run_id, table=table_sha256)


def make_table(context: dg.AssetExecutionContext, archive: ArchiveResource, checked: CheckedAssets) -> Iterator[Any]:
    """Write the table; yields its materialization with the check on incidents.

    Args:
        context: of the step.
        archive: where the table is written.
        checked: the assets of bars and their checks.
    """
    with as_dagster_failure(), runtime.gc_paused():
        reader = QualityReader(context.instance, archive.open(), checked)
        stored = reader.read()
        months = quality_rows.by_symbol(each.quality for each in stored)
        written = archive.open().write_path(
            quality_rows.PATH, parquet_codec.encode_quality(parquet_codec.quality_table(months))
        )
        reader.save(context.run.run_id, written.sha256)
    yield dg.MaterializeResult(
        metadata=_metadata(months, written), check_results=[_incidents(context.instance, stored)]
    )
    in_order = sorted(stored, key=lambda row: (row.quality.symbol, row.quality.month))
    context.log_event(dg.AssetObservation(KEY, description=quality_page.overview(in_order, checked)))


def _metadata(months: "Sequence[MonthQuality]", written: "Written") -> dict[str, dg.MetadataValue]:
    first = parquet_codec.quality_table(quality_rows.worst_first(months)[:MOST_SHOWN])
    shown = metadata.table_rows(first.select(list(_SHOWN)).rename_columns(list(_SHOWN.values())))
    facts: dict[str, dg.MetadataValue] = {
        "dagster/row_count": dg.MetadataValue.int(len(months)),
        "dagster/uri": dg.MetadataValue.text(written.uri),
        "months with errors": dg.MetadataValue.int(sum(month.errors > 0 for month in months)),
        "months with warnings": dg.MetadataValue.int(sum(month.warnings > 0 for month in months)),
        "months failed": dg.MetadataValue.int(sum(month.status is MonthStatus.FAILED for month in months)),
        "months missing": dg.MetadataValue.int(sum(month.status is MonthStatus.MISSING for month in months)),
        "months not judged": dg.MetadataValue.int(
            sum(month.status is MonthStatus.STORED and not month.is_checked for month in months)
        ),
        "months stale": dg.MetadataValue.int(sum(bool(month.stale) for month in months)),
    }
    return {**facts, "months, worst first": dg.MetadataValue.table(shown)} if shown else facts


def _incidents(instance: dg.DagsterInstance, every: Sequence[QualityRow]) -> dg.AssetCheckResult:
    stored = [each for each in every if each.event is not None]
    liquid = [each for each in stored if each.missing is not None]
    by_month: dict[Month, dict[str, tuple[Gap, ...]]] = defaultdict(dict)
    for each in liquid:
        by_month[each.quality.month][each.quality.symbol] = each.missing or ()
    found = [(month, incident) for month in sorted(by_month) for incident in _of_month(month, by_month[month])]
    ids = _request_ids(instance, liquid, found[:SAMPLE])
    first = [dg.TableRecord(_row(month, incident, ids)) for month, incident in found[:SAMPLE]]
    unmeasured = bool(stored) and not any(each.measured for each in stored)
    return dg.AssetCheckResult(
        check_name=VENDOR_INCIDENT,
        passed=not found and not unmeasured,
        severity=dg.AssetCheckSeverity.WARN,
        description=_UNMEASURED.format(len(stored))
        if unmeasured
        else _sentence([incident for _, incident in found], len(liquid)),
        metadata={
            "incidents": dg.MetadataValue.int(len(found)),
            "months of liquid symbols looked at": dg.MetadataValue.text(f"{len(liquid):,} of {len(stored):,} stored"),
            **({"first incidents": dg.MetadataValue.table(first)} if first else {}),
        },
    )


_UNMEASURED: Final = (
    "Which minutes are missing is recorded of none of the stored months ({:,}). Re-materialize raw_1s, then "
    "quality/coverage."
)


def _request_ids(
    instance: dg.DagsterInstance, liquid: Sequence[QualityRow], shown: Sequence[tuple[Month, Incident]]
) -> dict[tuple[str, Month], tuple[str, ...]]:
    """The request ids of the months that the shown incidents quote: of the first symbols of each."""
    named = {(symbol, month) for month, incident in shown for symbol in incident.symbols[:MOST_NAMED]}
    months = {each.event: (each.quality.symbol, each.quality.month) for each in liquid}
    wanted = [number for number, place in months.items() if number is not None and place in named]
    return {months[number]: ids for number, ids in records.request_ids(instance, wanted)}


def _of_month(month: Month, missing: Mapping[str, tuple[Gap, ...]]) -> Sequence[Incident]:
    return incidents.find(missing, sum(session.regular_minutes for session in exchange_calendar.sessions_in(month)))


def _row(month: Month, incident: Incident, ids: dict[tuple[str, Month], tuple[str, ...]]) -> dict[str, str | int]:
    return {
        "minutes": str(incident.gap),
        "how many": incident.gap.minutes,
        "symbols": ", ".join(incident.symbols),
        "request ids to quote": "; ".join(
            _quoted(name, month, ids[name, month]) for name in incident.symbols[:MOST_NAMED]
        ),
    }


def _quoted(symbol: str, month: Month, ids: Sequence[str]) -> str:
    if not ids:
        return f"{symbol}: none recorded"
    more = f" and {len(ids) - MOST_IDS} more in raw_1s {partition_key(symbol, month)}" if len(ids) > MOST_IDS else ""
    return f"{symbol}: {', '.join(ids[:MOST_IDS])}{more}"


def _sentence(found: Sequence[Incident], liquid: int) -> str:
    if not found:
        looked_at = quantity(liquid, "month")
        return f"No minute of regular hours is missing in several liquid symbols at once ({looked_at} looked at)."
    first = found[0]
    minutes = quantity(first.gap.minutes, "minute")
    lost = "is" if first.gap.minutes == 1 else "are"
    names = ", ".join(first.symbols[:MOST_NAMED]) + (", …" if len(first.symbols) > MOST_NAMED else "")
    others = f", and {quantity(len(found) - 1, 'other incident')}" if len(found) > 1 else ""
    return (
        f"{first.gap} ({minutes} of regular hours) {lost} missing in {len(first.symbols)} liquid symbols at once, "
        f"{names}{others}. The vendor lost them: report the minutes and request ids below to its support, and "
        "re-materialize raw_1s of these months later."
    )
