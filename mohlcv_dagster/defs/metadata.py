"""Facts of the domain as Dagster metadata and back: standard keys where Dagster has them, plain words elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg

from mohlcv_dagster.defs import rows
from mohlcv_dagster.model import finality
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason
from mohlcv_dagster.model.splits import KnownSplits, Split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mohlcv_dagster.bars.revision import Revision
    from mohlcv_dagster.model.months import Month
    from mohlcv_dagster.providers.base import FetchedMonth

Metadata = Mapping[str, dg.MetadataValue]

STATE: Final = "state"
EMPTY_BECAUSE: Final = "empty_because"
EMPTY_CAUSE: Final = "empty_cause"
SPLITS: Final = "splits"
SPLITS_UNKNOWN: Final = "splits_unknown_because"

ORIGIN: Final = ("vendor", "adjusted", "delayed", "fetched_at", "complete_through", STATE, EMPTY_BECAUSE, EMPTY_CAUSE)
"""What is recorded of a raw month's fetch that holds for its aggregates too."""

LAST_CLOSE: Final = "last_close"
"""The close of a raw month's last bar, US dollars; the next month's first open is held against it."""
OCCUPANCY: Final = "occupancy"
"""The share of regular minutes that have a bar, in the median session of a raw month; by it liquid symbols are told."""
RAW_DIGEST: Final = "raw_sha256"
"""Of an aggregate: the digest of the raw file that it was folded from."""
FILE_STAMP: Final = "file_stamp"
"""The stamp of a written file (see `archive.Seen`): a file that still has it is the one that was written."""
LARGEST_GAP: Final = "largest_gap_minutes"
OUTSIDE_HOURS: Final = "bars_outside_hours"
MISSING_MINUTES: Final = "missing_minutes"
"""Of a liquid symbol's month: the regular minutes without a bar, such as `2024-01-05T15:30Z/3` for three."""
REVISED: Final = ("settled_changed", "settled_gained", "settled_lost")
"""Settled bars that fetching a month anew changed, added and lost."""
COMPARED: Final = ("settled_compared", *REVISED)
"""Settled bars that were compared with those fetched anew, and what became of them."""
MISMATCHES: Final = "minutes that differ, by kind"
"""Of the evaluation of the check against the vendor's own minutes: how many minutes differ, by kind."""
REVISED_ROWS: Final = 20
"""How many revised bars a materialization shows before and after: each is kept in the event log for ever."""

NOTES: Final = "notes"
REQUEST_IDS: Final = "request_ids"


@dataclass(frozen=True)
class Comparison:
    """What fetching a stored month anew did to it.

    Attributes:
        said: what was compared, or why nothing was.
        settled: what became of bars that were settled; `None` where nothing was compared.
        unsettled: what became of bars that were not.
    """

    said: str
    settled: "Revision | None" = None
    unsettled: "Revision | None" = None


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
        REQUEST_IDS: dg.MetadataValue.json(list(fetched.request_ids)),
        **_of_empty(fetched.empty),
        **_of_splits(fetched.splits),
    }


def moment_of(facts: Mapping[str, object], name: str) -> datetime | None:
    """The moment that was recorded under `name`, UTC; `None` where none was.

    Args:
        facts: the values of what was recorded.
        name: such as `fetched_at`.
    """
    seconds = facts.get(name)
    return None if seconds is None else datetime.fromtimestamp(float(str(seconds)), UTC)


def request_ids_of(facts: Mapping[str, object]) -> tuple[str, ...]:
    """The vendor's marks of its answers that were recorded with a month; none where they were not.

    Args:
        facts: the values of what was recorded.
    """
    ids = facts.get(REQUEST_IDS)
    return tuple(map(str, ids)) if isinstance(ids, list) else ()


def of_state(month: "Month", fetched_at: datetime) -> Metadata:
    """Whether a month fetched at `fetched_at` is settled."""
    return {STATE: dg.MetadataValue.text(finality.state(month, fetched_at).value)}


def of_span(since: datetime) -> Metadata:
    """From where on a month that is topped up was asked for."""
    return {"topped_up_from": dg.MetadataValue.timestamp(since)}


def of_comparison(comparison: Comparison) -> Metadata:
    """What fetching a stored month anew did to it, with the first revised bars before and after."""
    facts: dict[str, dg.MetadataValue] = {"compared": dg.MetadataValue.text(comparison.said)}
    if comparison.settled is not None:
        counts = comparison.settled.counts
        figures = counts.compared, counts.changed, counts.gained, counts.lost
        facts |= {name: dg.MetadataValue.int(figure) for name, figure in zip(COMPARED, figures, strict=True)}
        if counts.total:
            facts["revision"] = dg.MetadataValue.table(rows.of(comparison.settled.rows.slice(0, REVISED_ROWS)))
    if comparison.unsettled is not None:
        facts["unsettled_revised"] = dg.MetadataValue.int(comparison.unsettled.counts.total)
    return facts


def _of_empty(empty: EmptyMonthReason | None) -> Metadata:
    if empty is None:
        return {}
    return {EMPTY_BECAUSE: dg.MetadataValue.text(empty.reason), EMPTY_CAUSE: dg.MetadataValue.text(empty.cause.value)}


def empty_of(facts: Mapping[str, object]) -> EmptyMonthReason | None:
    """Why a month was recorded as empty; `None` where it was not.

    Args:
        facts: the values of what was recorded.
    """
    if EMPTY_BECAUSE not in facts:
        return None
    return EmptyMonthReason(EmptyMonthCause(str(facts[EMPTY_CAUSE])), str(facts[EMPTY_BECAUSE]))


def _of_splits(known: KnownSplits | None) -> Metadata:
    if known is None:
        return {}
    if known.splits is None:
        return {SPLITS_UNKNOWN: dg.MetadataValue.text(known.why_unknown)}
    told = [{"executed": str(each.executed), "from": each.before, "to": each.after} for each in known.splits]
    return {SPLITS: dg.MetadataValue.json(told)}


def splits_of(facts: Mapping[str, object]) -> tuple[Split, ...] | None:
    """The splits that were recorded with a month, rising; `None` where none were told.

    Args:
        facts: the values of what was recorded.
    """
    told = facts.get(SPLITS)
    if not isinstance(told, list):
        return None
    return tuple(Split(date.fromisoformat(row["executed"]), float(row["from"]), float(row["to"])) for row in told)


def of_notes(notes: "Sequence[str]") -> Metadata:
    """What is worth knowing of a month beside its bars, where there is something."""
    return {NOTES: dg.MetadataValue.text(" ".join(notes))} if notes else {}
