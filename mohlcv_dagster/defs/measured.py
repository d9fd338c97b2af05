"""What is measured on bars, as Dagster metadata; facts that are known without them are in `metadata`."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, coverage, incidents
from mohlcv_dagster.bars.bar_table import to_numpy
from mohlcv_dagster.bars.coverage import Coverage
from mohlcv_dagster.defs.metadata import (
    FILE_STAMP,
    LARGEST_GAP,
    LAST_CLOSE,
    MISSING_MINUTES,
    OCCUPANCY,
    OUTSIDE_HOURS,
    Metadata,
)
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.storage.archive import Written

MOST_GAPS: Final = 100
"""How many stretches of missing minutes are recorded, the longest first chosen: each month's are kept for ever."""


def of_file(bars: pa.Table, written: Written) -> Metadata:
    """What is recorded of a file that was written with these bars."""
    facts: dict[str, dg.MetadataValue] = {
        "dagster/uri": dg.MetadataValue.text(written.uri),
        "dagster/partition_row_count": dg.MetadataValue.int(bars.num_rows),
    }
    if bars.num_rows:
        starts = bar_table.seconds(bars)
        facts["first_bar"] = dg.MetadataValue.text(str(datetime.fromtimestamp(int(starts[0]), UTC)))
        facts["last_bar"] = dg.MetadataValue.text(str(datetime.fromtimestamp(int(starts[-1]), UTC)))
    return {
        **facts,
        "size_bytes": dg.MetadataValue.int(written.size),
        "volume_type": dg.MetadataValue.text("int64" if bar_table.has_whole_volume(bars) else "float64"),
        "sha256": dg.MetadataValue.text(written.sha256),
        **({FILE_STAMP: dg.MetadataValue.text(written.stamp)} if written.stamp else {}),
    }


def of_coverage(bars: pa.Table, month: Month, complete_through: datetime) -> Metadata:
    """What is recorded of a raw month beside the exchange calendar; no occupancy where no session has bars.

    Args:
        bars: rising strictly.
        month: which month.
        complete_through: the moment (exclusive) up to which they were asked for.

    Raises:
        MonthError: the month is beyond the exchange calendar.
    """
    found = coverage.measure(bar_table.seconds(bars), month, complete_through)
    facts: dict[str, dg.MetadataValue] = {
        **of_minutes(found),
        "sessions_expected": dg.MetadataValue.int(found.expected),
        "sessions_present": dg.MetadataValue.int(found.present),
        "calendar": dg.MetadataValue.text(exchange_calendar.source()),
    }
    if found.occupancy is not None:
        facts[OCCUPANCY] = dg.MetadataValue.float(round(found.occupancy, 4))
    if bars.num_rows:
        last = to_numpy(bars["close"].slice(bars.num_rows - 1))
        facts[LAST_CLOSE] = dg.MetadataValue.float(float(last[0]))
    return facts


def of_minutes(found: Coverage) -> Metadata:
    """What a raw month lacks and has too much of beside the exchange calendar.

    Missing minutes are recorded here, since only so they can be held against other symbols' without reading all files;
    a quiet symbol's are not: it lacks minutes by nature, and thousands of them.
    """
    facts: dict[str, dg.MetadataValue] = {
        LARGEST_GAP: dg.MetadataValue.int(max((each.gap_seconds for each in found.sessions), default=0) // 60),
        OUTSIDE_HOURS: dg.MetadataValue.int(int(found.outside.sum())),
    }
    if found.liquid:
        every = incidents.of_coverage(found)
        kept = sorted(sorted(every, key=lambda gap: -gap.minutes)[:MOST_GAPS])
        facts[MISSING_MINUTES] = dg.MetadataValue.json([gap.written for gap in kept])
    return facts
