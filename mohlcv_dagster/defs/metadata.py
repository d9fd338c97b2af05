"""Facts of the domain as Dagster metadata: standard keys where Dagster has them, plain words elsewhere."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.bars import coverage, incidents, schema, sessions
from mohlcv_dagster.bars.coverage import Coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mohlcv_dagster.archive import Written
    from mohlcv_dagster.bars.months import Month
    from mohlcv_dagster.defs.records import Record
    from mohlcv_dagster.vendor.fetched import FetchedMonth

Metadata = Mapping[str, dg.MetadataValue]

ORIGIN: Final = ("vendor", "adjusted", "delayed", "fetched_at", "complete_through")
"""What is recorded of a raw month's fetch that holds for its aggregates too."""

OCCUPANCY: Final = "occupancy"
"""The share of regular minutes that have a bar, in the median session of a raw month; by it liquid symbols are told."""
RAW_DIGEST: Final = "raw_sha256"
"""Of an aggregate: the digest of the raw file that it was folded from."""
LARGEST_GAP: Final = "largest_gap_minutes"
OUTSIDE_HOURS: Final = "bars_outside_hours"
MISSING_MINUTES: Final = "missing_minutes"
"""Of a liquid symbol's month: the regular minutes without a bar, such as `2024-01-05T15:30Z/3` for three."""
MOST_GAPS: Final = 100
"""How many stretches of missing minutes are recorded, the longest first chosen: each month's are kept for ever."""
REVISED: Final = ("settled_changed", "settled_gained", "settled_lost")
"""Settled bars that fetching a month anew changed, added and lost."""
MISMATCHES: Final = "minutes that differ, by kind"
"""Of the evaluation of the check against the vendor's own minutes: how many minutes differ, by kind."""


def column_schema(*, whole_volume: bool | None = None) -> dg.TableSchema:
    """The columns of a file with types, units and meanings; volume's type is open where `whole_volume` is `None`."""
    types = {schema.TIME: "timestamp[s, UTC]", **dict.fromkeys(schema.PRICES, "float64")}
    types[schema.VOLUME] = {None: "int64 or float64", True: "int64", False: "float64"}[whole_volume]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name,
                type=types[name],
                description=schema.MEANINGS[name],
                constraints=dg.TableColumnConstraints(nullable=False, unique=name == schema.TIME),
            )
            for name in schema.COLUMNS
        ]
    )


def of_file(bars: "pa.Table", written: "Written") -> Metadata:
    """What is recorded of a file that was written with these bars."""
    facts: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(bars.num_rows),
        "dagster/uri": dg.MetadataValue.text(written.uri),
        "dagster/column_schema": dg.MetadataValue.table_schema(
            column_schema(whole_volume=schema.has_whole_volume(bars))
        ),
        "size_bytes": dg.MetadataValue.int(written.size),
        "sha256": dg.MetadataValue.text(written.sha256),
    }
    if bars.num_rows:
        starts = bars[schema.TIME]
        facts["first_bar"] = dg.MetadataValue.text(str(starts[0].as_py()))
        facts["last_bar"] = dg.MetadataValue.text(str(starts[-1].as_py()))
    return facts


def of_fetch(fetched: "FetchedMonth") -> Metadata:
    """What is recorded of how a month was fetched."""
    return {
        "vendor": dg.MetadataValue.text(fetched.vendor),
        "adjusted": dg.MetadataValue.bool(fetched.adjusted),
        "delayed": dg.MetadataValue.bool(fetched.plan_delayed),
        "fetched_at": dg.MetadataValue.timestamp(fetched.fetched_at),
        "complete_through": dg.MetadataValue.timestamp(fetched.complete_through),
        "requests": dg.MetadataValue.int(fetched.requests),
        "retries": dg.MetadataValue.int(fetched.retries),
        "fetch_seconds": dg.MetadataValue.float(round(fetched.seconds, 3)),
        "downloaded_bytes": dg.MetadataValue.int(fetched.bytes),
        "request_ids": dg.MetadataValue.json(list(fetched.request_ids)),
    }


def of_coverage(fetched: "FetchedMonth", month: "Month") -> Metadata:
    """What is recorded of a raw month beside the exchange calendar; no occupancy where no session has bars."""
    found = coverage.cover(schema.seconds(fetched.bars), month, fetched.complete_through)
    facts: dict[str, dg.MetadataValue] = {
        **of_minutes(found),
        "sessions_expected": dg.MetadataValue.int(found.expected),
        "sessions_present": dg.MetadataValue.int(found.present),
        "calendar": dg.MetadataValue.text(sessions.provenance()),
    }
    if found.occupancy is not None:
        facts[OCCUPANCY] = dg.MetadataValue.float(round(found.occupancy, 4))
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


def of_fold(raw: "Record | None") -> Metadata:
    """What is recorded of an aggregate's raw month; nothing where this instance did not see it written."""
    return {**raw.origin, RAW_DIGEST: dg.MetadataValue.text(raw.sha256)} if raw else {}


def of_notes(notes: "Sequence[str]") -> Metadata:
    """What is worth knowing of a month beside its bars, where there is something."""
    return {"notes": dg.MetadataValue.text(" ".join(notes))} if notes else {}
