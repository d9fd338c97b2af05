"""What is recorded of a file as Dagster metadata, and its conversion there and back.

Labels are persisted in the event log: they never change. Standard keys are used where Dagster has them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import dagster as dg

from mohlcv_dagster.model import finality
from mohlcv_dagster.model.finality import Finality
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason, KnownSplits, Split

if TYPE_CHECKING:
    import pyarrow as pa

    from mohlcv_dagster.model.manifest_entry import ManifestEntry
    from mohlcv_dagster.model.months import Month
    from mohlcv_dagster.providers.base import FetchedMonth

Metadata = Mapping[str, dg.MetadataValue]
Values: TypeAlias = Mapping[str, object]
"""The values of metadata, by label."""

ROWS: Final = "dagster/partition_row_count"
SHA256: Final = "sha256"
STATE: Final = "state"
FETCHED_AT: Final = "fetched_at"
COMPLETE_THROUGH: Final = "complete_through"
EMPTY_BECAUSE: Final = "empty_because"
EMPTY_CAUSE: Final = "empty_cause"
SPLITS: Final = "splits"
SPLITS_UNKNOWN: Final = "splits_unknown_because"
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


def values(metadata: Metadata) -> dict[str, object]:
    """The values of `metadata`, by label."""
    return {name: value.value for name, value in metadata.items()}


def moment(recorded: Values, name: str) -> datetime | None:
    """The moment that is recorded as a timestamp under `name`, UTC; `None` where none is."""
    seconds = recorded.get(name)
    return None if seconds is None else datetime.fromtimestamp(float(str(seconds)), UTC)


def request_ids(recorded: Values) -> tuple[str, ...]:
    """The vendor's request ids that are recorded with a month; none where they were not."""
    ids = recorded.get(REQUEST_IDS)
    return tuple(map(str, ids)) if isinstance(ids, list) else ()


def splits(recorded: Values) -> tuple[Split, ...] | None:
    """The splits that are recorded with a month, rising; `None` where none are."""
    rows = recorded.get(SPLITS)
    if not isinstance(rows, list):
        return None
    return tuple(Split(date.fromisoformat(row["executed"]), float(row["from"]), float(row["to"])) for row in rows)


def table_rows(table: "pa.Table") -> list[dg.TableRecord]:
    """Every row of `table` for a table in the UI. Events are kept for ever: pass the first rows of a long table."""
    return [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in table.to_pylist()]


@dataclass(frozen=True, kw_only=True)
class WrittenFile:
    """A file of bars as it was written.

    Attributes:
        rows: its number of bars.
        sha256: the digest of its bytes, 64 lower-case hexadecimal digits.
        size: bytes; `None` where unknown.
        uri: where it was written.
        first_bar: the start of its first bar, UTC; `None` where it has none.
        last_bar: as `first_bar`, of its last.
        volume_type: `int64` or `float64`.
        stamp: see `FILE_STAMP`; `None` on a store without one.
    """

    rows: int
    sha256: str
    size: int | None = None
    uri: str | None = None
    first_bar: datetime | None = None
    last_bar: datetime | None = None
    volume_type: str | None = None
    stamp: str | None = None

    @classmethod
    def from_metadata(cls, metadata: Metadata) -> Self | None:
        """The file of which `metadata` is recorded; `None` where it is not about a file."""
        recorded = values(metadata)
        if ROWS not in recorded or SHA256 not in recorded:
            return None
        size = recorded.get("size_bytes")
        return cls(
            rows=int(str(recorded[ROWS])),
            sha256=str(recorded[SHA256]),
            size=None if size is None else int(str(size)),
            uri=_text(recorded.get("dagster/uri")),
            first_bar=_iso_moment(recorded.get("first_bar")),
            last_bar=_iso_moment(recorded.get("last_bar")),
            volume_type=_text(recorded.get("volume_type")),
            stamp=_text(recorded.get(FILE_STAMP)),
        )

    def to_metadata(self) -> Metadata:
        """What is recorded of the file; nothing of what is unknown."""
        return convert(
            {
                "dagster/uri": self.uri,
                ROWS: self.rows,
                "first_bar": None if self.first_bar is None else str(self.first_bar),
                "last_bar": None if self.last_bar is None else str(self.last_bar),
                "size_bytes": self.size,
                "volume_type": self.volume_type,
                SHA256: self.sha256,
                FILE_STAMP: self.stamp,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the bars of a file came from, for an aggregate those of its raw month; `None` says that it is not known.

    Attributes:
        vendor: who gave them.
        adjusted: whether they are adjusted for later splits.
        delayed: whether the vendor marked an answer as delayed.
        fetched_at: when they were asked for, UTC.
        complete_through: the moment (exclusive) up to which they were asked for, UTC.
        state: `provisional` or `settled`.
        empty: why the month was proven to have no bars; `None` also where it has some.
        splits: of adjusted bars: the symbol's splits, or why they are unknown.
        request_ids: the vendor's ids of the answers that the bars came in.
        raw_sha256: of an aggregate, the digest of the raw file that it was resampled from.
    """

    vendor: str | None = None
    adjusted: bool | None = None
    delayed: bool | None = None
    fetched_at: datetime | None = None
    complete_through: datetime | None = None
    state: str | None = None
    empty: EmptyMonthReason | None = None
    splits: KnownSplits | None = None
    request_ids: tuple[str, ...] | None = None
    raw_sha256: str | None = None

    @classmethod
    def of_fetch(cls, month: "Month", fetched: "FetchedMonth") -> Self:
        """That of bars just fetched."""
        return cls(
            vendor=fetched.vendor,
            adjusted=fetched.adjusted,
            delayed=fetched.plan_delayed,
            fetched_at=fetched.fetched_at,
            complete_through=fetched.complete_through,
            state=finality.state(month, fetched.fetched_at).value,
            empty=fetched.empty,
            splits=fetched.splits,
            request_ids=fetched.request_ids,
        )

    @classmethod
    def of_manifest_entry(cls, entry: "ManifestEntry") -> Self:
        """That which a manifest entry tells."""
        return cls(
            vendor=entry.vendor,
            adjusted=entry.adjusted,
            fetched_at=entry.fetched_at,
            complete_through=entry.complete_through,
            state=entry.state,
            request_ids=entry.request_ids or None,
            raw_sha256=entry.raw_sha256,
        )

    @classmethod
    def from_metadata(cls, metadata: Metadata) -> Self:
        """That which is recorded in `metadata`."""
        recorded = values(metadata)
        adjusted, delayed = recorded.get("adjusted"), recorded.get("delayed")
        return cls(
            vendor=_text(recorded.get("vendor")),
            adjusted=adjusted if isinstance(adjusted, bool) else None,
            delayed=delayed if isinstance(delayed, bool) else None,
            fetched_at=moment(recorded, FETCHED_AT),
            complete_through=moment(recorded, COMPLETE_THROUGH),
            state=_text(recorded.get(STATE)),
            empty=_empty(recorded),
            splits=_known_splits(recorded),
            request_ids=request_ids(recorded) if REQUEST_IDS in recorded else None,
            raw_sha256=_text(recorded.get(RAW_DIGEST)),
        )

    def to_metadata(self) -> Metadata:
        """What is recorded of it; nothing of what is unknown."""
        splits = self.splits.splits if self.splits else None
        return convert(
            {
                "vendor": self.vendor,
                "adjusted": self.adjusted,
                "delayed": self.delayed,
                FETCHED_AT: self.fetched_at,
                COMPLETE_THROUGH: self.complete_through,
                STATE: self.state,
                REQUEST_IDS: None if self.request_ids is None else list(self.request_ids),
                EMPTY_BECAUSE: self.empty.reason if self.empty else None,
                EMPTY_CAUSE: self.empty.cause.value if self.empty else None,
                SPLITS: None if splits is None else [_split_row(each) for each in splits],
                SPLITS_UNKNOWN: self.splits.why_unknown if self.splits and splits is None else None,
                RAW_DIGEST: self.raw_sha256,
            }
        )

    @property
    def is_final(self) -> bool:
        """Whether the bars were final when they were fetched."""
        return self.state == Finality.FINAL.value

    def inherited(self, raw_sha256: str | None = None) -> Self:
        """That of a file made of this one, whose digest is `raw_sha256`."""
        return replace(self, splits=None, request_ids=None, raw_sha256=raw_sha256)


def _convert(value: Any) -> dg.MetadataValue[Any]:  # noqa: ANN401 - a fact is of any of these types
    if isinstance(value, dg.MetadataValue):
        return value
    for kind, converted in _CONVERTERS.items():
        if isinstance(value, kind):
            return converted(value)
    return dg.MetadataValue.json(dict(value) if isinstance(value, Mapping) else value)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _iso_moment(text: object) -> datetime | None:
    return None if text is None else datetime.fromisoformat(str(text))


def _empty(recorded: Values) -> EmptyMonthReason | None:
    if EMPTY_BECAUSE not in recorded:
        return None
    return EmptyMonthReason(EmptyMonthCause(str(recorded[EMPTY_CAUSE])), str(recorded[EMPTY_BECAUSE]))


def _known_splits(recorded: Values) -> KnownSplits | None:
    known = splits(recorded)
    if known is None and SPLITS_UNKNOWN not in recorded:
        return None
    return KnownSplits(known, str(recorded.get(SPLITS_UNKNOWN, "")))


def _split_row(split: Split) -> dict[str, object]:
    return {"executed": str(split.executed), "from": split.before, "to": split.after}


def _cell(value: object) -> str | int | float | bool | None:
    """A value that JSON can carry: times, and numbers that are not finite, as text; a list as its items."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
