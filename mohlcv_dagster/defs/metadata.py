"""What is recorded of a file as Dagster metadata, and its conversion there and back.

Labels are persisted in the event log: they never change. Standard keys are used where Dagster has them.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import dagster as dg

from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.finality import RevisionCounts
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason, ListedDays, Split
from mohlcv_dagster.model.provenance import Origin, Provenance

if TYPE_CHECKING:
    import pyarrow as pa

Metadata = Mapping[str, dg.MetadataValue]
Values: TypeAlias = Mapping[str, object]
"""The values of metadata, by label."""
Value = TypeVar("Value")

ROWS: Final = "dagster/partition_row_count"
SHA256: Final = "sha256"
SIZE: Final = "size_bytes"
URI: Final = "dagster/uri"
STATE: Final = "state"
FETCHED_AT: Final = "fetched_at"
COMPLETE_THROUGH: Final = "complete_through"
EMPTY_BECAUSE: Final = "empty_because"
EMPTY_CAUSE: Final = "empty_cause"
LISTED: Final = ("listed_from", "listed_until")
"""The days of `ListedDays`."""
SPLITS: Final = "splits"
SPLITS_UNKNOWN: Final = "splits_unknown_because"
COMPANY: Final = "company"
COMPANY_UNKNOWN: Final = "company_unknown_because"
REQUEST_IDS: Final = "request_ids"
NOTES: Final = "notes"
RAW_DIGEST: Final = "raw_sha256"
"""Of an aggregate: the digest of the raw file that it was resampled from."""
FILE_STAMP: Final = "file_stamp"
"""The stamp of a written file (see `archive.Seen`): a file that still has it is the one that was written."""

LAST_CLOSE: Final = "last_close"
"""The close of a raw month's last bar, US dollars; the next month's first open is compared with it."""
OCCUPANCY: Final = "occupancy"
"""The share of regular minutes that have a bar, in the median session of a raw month; it tells liquid symbols."""
TRADES: Final = "trades"
"""The number of trades in all bars of a raw month that the vendor counted them for."""
VWAP_OUTSIDE: Final = "bars_with_vwap_outside_range"
"""Bars whose volume-weighted average price is outside their low and high: a known way of the vendor, no fault."""
LARGEST_GAP: Final = "largest_gap_minutes"
OUTSIDE_HOURS: Final = "bars_outside_hours"
MISSING_MINUTES: Final = "missing_minutes"
"""Of a liquid symbol's month: the regular minutes without a bar, such as `2024-01-05T15:30Z/3` for three."""
REVISED: Final = ("settled_changed", "settled_gained", "settled_lost")
"""Final bars that fetching a month again changed, added and lost."""
COMPARED: Final = ("settled_compared", *REVISED)
"""Final bars that were compared with those fetched again, and what became of them."""
MISMATCHES: Final = "minutes that differ, by kind"
"""Of the evaluation of the check against the vendor's own minutes: how many minutes differ, by kind."""

_CONVERTERS: Final[Mapping[type, Callable[[Any], dg.MetadataValue[Any]]]] = {
    str: dg.MetadataValue.text,
    bool: dg.MetadataValue.bool,  # before int, which a bool is too
    int: dg.MetadataValue.int,
    float: dg.MetadataValue.float,
    datetime: dg.MetadataValue.timestamp,
}


def convert(facts: Mapping[str, object]) -> Metadata:
    """Each of `facts` as metadata of its type, lists and mappings as JSON; what is `None` is left out."""
    return {name: _convert(value) for name, value in facts.items() if value is not None}


def moment(recorded: Values, name: str) -> datetime | None:
    """The moment that is recorded as a timestamp under `name`, UTC; `None` where none is."""
    seconds = recorded.get(name)
    return None if seconds is None else datetime.fromtimestamp(float(str(seconds)), UTC)


def table_rows(table: "pa.Table") -> list[dg.TableRecord]:
    """Every row of `table` for a table in the UI. Events are kept for ever: pass the first rows of a long table."""
    return [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in table.to_pylist()]


def file_metadata(written: Provenance) -> Metadata:
    """What is recorded of a file as it was written; nothing of what is unknown."""
    return convert(
        {
            URI: written.uri,
            ROWS: written.rows,
            "first_bar": None if written.first_bar is None else str(written.first_bar),
            "last_bar": None if written.last_bar is None else str(written.last_bar),
            SIZE: written.size,
            "volume_type": written.volume_type,
            SHA256: written.sha256,
            FILE_STAMP: written.stamp,
        }
    )


def origin_metadata(origin: Origin) -> Metadata:
    """What is recorded of where bars came from; nothing of what is unknown."""
    return convert(
        {
            "vendor": origin.vendor,
            "adjusted": origin.adjusted,
            "delayed": origin.delayed,
            FETCHED_AT: origin.fetched_at,
            COMPLETE_THROUGH: origin.complete_through,
            STATE: origin.state,
            REQUEST_IDS: None if origin.request_ids is None else list(origin.request_ids),
            EMPTY_BECAUSE: origin.empty.reason if origin.empty else None,
            EMPTY_CAUSE: origin.empty.cause.value if origin.empty else None,
            **listed_metadata(origin.listed),
            SPLITS: None if origin.splits is None else [_split_row(each) for each in origin.splits],
            SPLITS_UNKNOWN: origin.splits_unknown,
            COMPANY: origin.company.to_fields() if origin.company else None,
            COMPANY_UNKNOWN: origin.company_unknown,
            RAW_DIGEST: origin.raw_sha256,
        }
    )


def listed_metadata(listed: ListedDays | None) -> dict[str, str]:
    """What is recorded of the days on which the symbol could be traded; nothing of a side without an end."""
    days = (listed.first, listed.end) if listed else (None, None)
    return {name: str(day) for name, day in zip(LISTED, days, strict=True) if day}


def origin_of(metadata: Metadata) -> Origin:
    """The origin that is recorded in `metadata`."""
    return Origin(**_origin(_values(metadata)))


def provenance_of(metadata: Metadata) -> Provenance | None:
    """All that is recorded in `metadata` of a file; `None` where it is not about one."""
    recorded = _values(metadata)
    rows, sha256 = _typed(recorded, ROWS, int), _typed(recorded, SHA256, str)
    if rows is None or sha256 is None:
        return None
    return Provenance(
        rows,
        sha256,
        size=_typed(recorded, SIZE, int),
        uri=_typed(recorded, URI, str),
        first_bar=_iso_moment(recorded.get("first_bar")),
        last_bar=_iso_moment(recorded.get("last_bar")),
        volume_type=_typed(recorded, "volume_type", str),
        stamp=_typed(recorded, FILE_STAMP, str),
        occupancy=_typed(recorded, OCCUPANCY, float),
        last_close=_typed(recorded, LAST_CLOSE, float),
        revised=_revised(recorded),
        **_origin(recorded),
    )


def _origin(recorded: Values) -> dict[str, Any]:
    ids = _typed(recorded, REQUEST_IDS, list)
    return {
        "vendor": _typed(recorded, "vendor", str),
        "adjusted": _typed(recorded, "adjusted", bool),
        "delayed": _typed(recorded, "delayed", bool),
        "fetched_at": moment(recorded, FETCHED_AT),
        "complete_through": moment(recorded, COMPLETE_THROUGH),
        "state": _typed(recorded, STATE, str),
        "empty": _empty(recorded),
        "listed": _listed(recorded),
        "splits": splits_of(recorded),
        "splits_unknown": _typed(recorded, SPLITS_UNKNOWN, str),
        "company": Company.of_fields(recorded[COMPANY]) if COMPANY in recorded else None,
        "company_unknown": _typed(recorded, COMPANY_UNKNOWN, str),
        "request_ids": None if ids is None else tuple(map(str, ids)),
        "raw_sha256": _typed(recorded, RAW_DIGEST, str),
    }


def _convert(value: Any) -> dg.MetadataValue[Any]:  # noqa: ANN401 - a fact is of any of these types
    if isinstance(value, dg.MetadataValue):
        return value
    for kind, converted in _CONVERTERS.items():
        if isinstance(value, kind):
            return converted(value)
    return dg.MetadataValue.json(dict(value) if isinstance(value, Mapping) else value)


def _values(metadata: Metadata) -> Values:
    return {name: value.value for name, value in metadata.items()}


def _typed(recorded: Values, name: str, kind: type[Value]) -> Value | None:
    """What is recorded under `name`; `None` where nothing of this type is."""
    value = recorded.get(name)
    return value if isinstance(value, kind) else None


def _iso_moment(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _empty(recorded: Values) -> EmptyMonthReason | None:
    if EMPTY_BECAUSE not in recorded:
        return None
    return EmptyMonthReason(EmptyMonthCause(str(recorded[EMPTY_CAUSE])), str(recorded[EMPTY_BECAUSE]))


def _listed(recorded: Values) -> ListedDays | None:
    texts = (_typed(recorded, name, str) for name in LISTED)
    days = [date.fromisoformat(text) if text else None for text in texts]
    return ListedDays(*days) if any(days) else None


def splits_of(recorded: Values) -> tuple[Split, ...] | None:
    """The splits that were known when adjusted bars were requested, rising; `None` where none were recorded."""
    rows = recorded.get(SPLITS)
    if not isinstance(rows, list):
        return None
    return tuple(Split(date.fromisoformat(row["executed"]), float(row["from"]), float(row["to"])) for row in rows)


def _revised(recorded: Values) -> RevisionCounts | None:
    if any(name not in recorded for name in COMPARED):
        return None
    return RevisionCounts(*(int(str(recorded[name])) for name in COMPARED))


def _split_row(split: Split) -> dict[str, object]:
    return {"executed": str(split.executed), "from": split.before, "to": split.after}


def _cell(value: object) -> str | int | float | bool | None:
    """A value that JSON can carry: times, and numbers that are not finite, as text; a list as its items."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
