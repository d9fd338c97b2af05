"""The one record of a stored file of bars: what it is, and where its bars came from.

Values only. The event log keeps it as metadata (`defs.metadata`), and a JSON beside the file (`manifest_entry`).
"""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum

from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.finality import Finality, RevisionCounts
from mohlcv_dagster.model.listings import EmptyMonthReason, ListedDays, Split


class Replacement(StrEnum):
    """Why a stored file of bars was replaced."""

    COMPLETED = "completed"
    DOWNLOADED = "downloaded again"
    FORCED = "downloaded again, forced"
    REWRITTEN = "rewritten by adopt"
    WRITTEN = "written again"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where the bars of a file came from, for an aggregate those of its raw month; `None` where it is not known.

    Attributes:
        vendor: who gave them.
        adjusted: whether they are adjusted for later splits.
        delayed: whether the vendor marked an answer as delayed.
        fetched_at: when they were requested, UTC.
        complete_through: the moment (exclusive) up to which they were requested, UTC.
        state: `provisional` or `settled` (final).
        empty: why the month was proven to have no bars; `None` also where it has some.
        splits: of adjusted bars, the splits known when they were requested, announced ones included, rising; `None`
            where the vendor did not give them. Of unadjusted bars, the same where their prices jump between sessions.
        splits_unknown: why it did not.
        listed: on which days of the month the symbol could be traded; `None` where the vendor was not asked.
        company: of a raw month with bars, that which had the symbol on the day of its last bar.
        company_unknown: why that is not known.
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
    splits: tuple[Split, ...] | None = None
    splits_unknown: str | None = None
    listed: ListedDays | None = None
    company: Company | None = None
    company_unknown: str | None = None
    request_ids: tuple[str, ...] | None = None
    raw_sha256: str | None = None

    @property
    def is_final(self) -> bool:
        """Whether the bars were final when they were fetched."""
        return self.state == Finality.FINAL.value

    def inherited(self, raw_sha256: str | None = None) -> "Origin":
        """The origin of a file made of this one, whose digest is `raw_sha256`."""
        return Origin(
            vendor=self.vendor,
            adjusted=self.adjusted,
            delayed=self.delayed,
            fetched_at=self.fetched_at,
            complete_through=self.complete_through,
            state=self.state,
            empty=self.empty,
            raw_sha256=raw_sha256,
        )


@dataclass(frozen=True)
class Provenance(Origin):
    """What was recorded of a file when it was written; `None` where it is not known.

    Attributes (besides those of `Origin`):
        rows: its number of bars.
        sha256: the digest of its bytes, 64 lower-case hexadecimal digits.
        size: bytes.
        uri: where it was written.
        first_bar: the start of its first bar, UTC; `None` also where it has none.
        last_bar: as `first_bar`, of its last.
        volume_type: `int64` or `float64`.
        stamp: see `storage.locations.FileStat`; `None` on a store without one.
        occupancy: of a raw month, the share of regular minutes that have a bar, in its median session.
        last_close: of a raw month, the close of its last bar, US dollars.
        revised: how the final bars stored before differ from those fetched again; `None` where nothing was compared.
        splits_now: of adjusted bars, the splits executed by now, as recorded with the month of the symbol that was
            fetched last.
    """

    rows: int
    sha256: str
    _: KW_ONLY
    size: int | None = None
    uri: str | None = None
    first_bar: datetime | None = None
    last_bar: datetime | None = None
    volume_type: str | None = None
    stamp: str | None = None
    occupancy: float | None = None
    last_close: float | None = None
    revised: RevisionCounts | None = None
    splits_now: tuple[Split, ...] = ()
