"""Fetching a raw month that may be stored: the bars that are not final yet, or the whole month, compared.

A month that is stored, sound, provisional and of the same vendor and basis of splits is refreshed incrementally: what
was not final when it was fetched is asked for again, after an overlap that must come back unchanged. Otherwise the
whole month is fetched, and the final bars of a stored one are compared before it is replaced, even where the vendor
gave it with values that no bar has, such as a volume below zero. Which bars are final is in `bars`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import dagster as dg
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, revision, trade_figures
from mohlcv_dagster.bars.revision import Revision
from mohlcv_dagster.checks.price_jumps import jumps_between_sessions
from mohlcv_dagster.defs import month_state, records
from mohlcv_dagster.defs.metadata import COMPARED, Metadata, convert, origin_metadata, table_rows
from mohlcv_dagster.defs.records import Record
from mohlcv_dagster.errors import BarsLostError, FailedRulesError
from mohlcv_dagster.model import finality
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.company import KnownCompany
from mohlcv_dagster.model.exchange_calendar import EASTERN
from mohlcv_dagster.model.finality import Finality
from mohlcv_dagster.model.listings import ListedDays
from mohlcv_dagster.model.month_decision import Action, Decision, RunOptions, decide
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Origin
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage.reader import BarReader

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

    from mohlcv_dagster.providers.base import BarProvider, FetchedMonth, FetchProgress

Report: TypeAlias = "Callable[[FetchProgress], None]"
INCREMENTAL: Final = "topped_up_from"
"""Of a month that was completed: from when on bars were asked for."""
REVISED_ROWS: Final = 20
"""How many revised bars a materialization shows before and after: each is kept in the event log for ever."""


@dataclass(frozen=True)
class Comparison:
    """What fetching a stored month again did to it.

    Attributes:
        said: what was compared, or why nothing was.
        final: what became of bars that were final; `None` where nothing was compared.
        provisional: what became of bars that were not.
    """

    said: str
    final: Revision | None = None
    provisional: Revision | None = None

    def to_metadata(self) -> Metadata:
        """What is recorded of it, with the first revised bars before and after."""
        facts: dict[str, object] = {"compared": self.said}
        if self.final is not None:
            counts = self.final.counts
            figures = counts.compared, counts.changed, counts.gained, counts.lost
            facts |= dict(zip(COMPARED, figures, strict=True))
            if counts.total:
                facts["revision"] = dg.MetadataValue.table(table_rows(self.final.rows.slice(0, REVISED_ROWS)))
        if self.provisional is not None:
            facts["unsettled_revised"] = self.provisional.counts.total
        return convert(facts)


@dataclass(frozen=True)
class StoredBars:
    """What is stored, as the vendor gave it.

    Attributes:
        bars: as recorded, rising strictly, none without a value.
        fetched_at: when they were asked for.
        through: the moment, exclusive, up to which they were asked for.
        request_ids: the vendor's ids of the answers that they came in.
        listed: as recorded of them.
        broken: what rules they break, so that they are compared and the whole month is fetched; empty where none.
    """

    bars: pa.Table
    fetched_at: datetime
    through: datetime
    request_ids: tuple[str, ...]
    listed: ListedDays | None = None
    broken: str = ""


@dataclass(frozen=True)
class Refresh:
    """Fetches raw months for a run.

    Attributes:
        vendor: who is asked.
        reader: what is stored.
        instance: what is recorded of it.
        options: what the run's tags say.
        log: the run's log, which says what is done and why.
    """

    vendor: "BarProvider"
    reader: BarReader
    instance: dg.DagsterInstance
    options: RunOptions
    log: "Logger"

    def fetch(self, file: BarFile, report: Report) -> "tuple[FetchedMonth, Metadata]":
        """The bars of a whole month, and what is to be recorded of how they were fetched and what they changed.

        Args:
            file: which month.
            report: called with how far the fetch has come.

        Raises:
            BarsLostError: more final bars than allowed are missing from the new answer, and no option accepts it.
            MohlcvError: as `BarProvider.fetch_month` has it.
        """
        decision = self._decide(file)
        stored = self._stored(file, decision)
        fetched, compared = self._incremental(file, stored, decision, report) or self._whole(file, stored, report)
        fetched = self._with_company(file, self._with_splits(file, fetched))
        return fetched, {**fetch_metadata(file.month, fetched), **compared}

    def _with_splits(self, file: BarFile, fetched: "FetchedMonth") -> "FetchedMonth":
        """Add the symbol's splits to unadjusted bars whose prices jump between two sessions, so that one is told."""
        if fetched.adjusted or fetched.splits is not None or not fetched.bars.num_rows:
            return fetched
        before = records.latest(self.instance, BarFile(file.symbol, RAW, min(file.month.neighbours)))
        close = before.last_close if before is not None and before.adjusted is False else None
        if not jumps_between_sessions(fetched.bars, close):
            return fetched
        known = self.vendor.splits(file.symbol)
        return fetched if known.splits is None else replace(fetched, splits=known, requests=fetched.requests + 1)

    def _with_company(self, file: BarFile, fetched: "FetchedMonth") -> "FetchedMonth":
        """Add which company had the symbol; of a provisional month it is asked once, and again when it is final."""
        if not fetched.bars.num_rows:
            return fetched
        own = records.latest(self.instance, file)
        if own is not None and own.company and finality.state(file.month, fetched.fetched_at) is Finality.PROVISIONAL:
            return replace(fetched, company=KnownCompany(own.company))
        last_bar = datetime.fromtimestamp(int(bar_table.seconds(fetched.bars)[-1]), UTC)
        beside = [records.latest(self.instance, BarFile(file.symbol, RAW, month)) for month in file.month.neighbours]
        recorded = [each.company for each in (own, *beside) if each is not None and each.company]
        found = self.vendor.company(file.symbol, last_bar.astimezone(EASTERN).date(), recorded)
        return replace(fetched, company=found, requests=fetched.requests + found.requests)

    def _decide(self, file: BarFile) -> Decision:
        """What is to be done about a month that somebody asks for."""
        return decide(
            month_state.for_request(self.instance, self.reader.archive, file),
            now=datetime.now(UTC),
            vendor=self.vendor.name,
            adjusted=self.vendor.adjusted,
            force=self.options.force,
            requested=True,
        )

    def _stored(self, file: BarFile, decision: Decision) -> StoredBars | str | None:
        """What is stored of `file`; why it cannot be relied on; `None` where there is nothing."""
        if decision.not_compared:
            return decision.not_compared
        record = records.latest(self.instance, file) if self.reader.archive.exists(file) else None
        if record is None or record.fetched_at is None:
            return None
        through = record.complete_through or record.fetched_at
        bars, why = self._sound_bars(file, record)
        return (
            why
            if bars is None
            else StoredBars(bars, record.fetched_at, through, record.request_ids or (), record.listed, why)
        )

    def _sound_bars(self, file: BarFile, record: Record) -> tuple[pa.Table | None, str]:
        """The stored bars, and what rules they break; no bars where they cannot even be compared."""
        try:
            return self.reader.require(file, record), ""
        except FailedRulesError as error:
            return self.reader.as_recorded(file, record), f"the stored file is broken: {error}"

    def _incremental(
        self, file: BarFile, stored: StoredBars | str | None, decision: Decision, report: Report
    ) -> "tuple[FetchedMonth, Metadata] | None":
        """The month from what is stored and the rest from the vendor; `None` where all of it must be fetched."""
        if decision.action is not Action.COMPLETE or not isinstance(stored, StoredBars) or stored.broken:
            return None
        span = finality.refresh_span(file.month, stored.fetched_at)
        if span is None:
            return None
        self.log.info("%s is stored and provisional: asking for %s and later", file, f"{span.since:%Y-%m-%d %H:%M:%S}Z")
        part = self.vendor.fetch_month(file.symbol, file.month, since=span.since, on_progress=report)
        tail = bar_table.between(stored.bars, span.since, None)
        proof = revision.compare(tail, part.bars, span.provisional_from)
        bars = revision.join(stored.bars, part.bars, span.since)
        kept = stored.bars.num_rows - tail.num_rows
        fault = _fault_of_overlap(proof, part, kept=kept)
        if fault:
            self.log.warning("%s: the overlap %s; the whole month is fetched", file, fault)
            return self._whole(file, stored, report, before=part, overlap=proof)
        later = _provisional(stored, part.bars, span.provisional_from)
        comparison = Comparison(_kept(proof), proof, later)
        ids, figures = (*stored.request_ids, *part.request_ids), self._joined_figures(file, stored, kept, part)
        listed = part.listed or stored.listed
        whole = replace(part, bars=bars, figures=figures, request_ids=ids, listed=listed)
        return whole, {**comparison.to_metadata(), **convert({INCREMENTAL: span.since})}

    def _joined_figures(self, file: BarFile, stored: StoredBars, kept: int, part: "FetchedMonth") -> pa.Table | None:
        """Trades and average prices of the stored bars that are kept, where a mirror has them, and of those fetched."""
        there = self.reader.figures(file)
        before = None if isinstance(there, str) or there.num_rows != stored.bars.num_rows else there
        if before is None and part.figures is None:
            return None
        return trade_figures.join([(before, kept), (part.figures, part.bars.num_rows)])

    def _whole(
        self,
        file: BarFile,
        stored: StoredBars | str | None,
        report: Report,
        *,
        before: "FetchedMonth | None" = None,
        overlap: Revision | None = None,
    ) -> "tuple[FetchedMonth, Metadata]":
        fetched = self.vendor.fetch_month(file.symbol, file.month, on_progress=report)
        if before is not None:
            fetched = _with_cost_of(before, fetched)
        if stored is None:
            return fetched, {}
        if isinstance(stored, str):
            self._refuse_emptying(file, fetched.bars)
            self.log.info("%s: not compared with the stored file, since %s", file, stored)
            return fetched, Comparison(f"not compared: {stored}").to_metadata()
        until = finality.final_until(file.month, stored.fetched_at)
        found = revision.compare(stored.bars, fetched.bars, until)
        said = self._comparison(file, found)
        if stored.broken:
            said += f"; {stored.broken}"
        if overlap is not None:
            said += f"; fetched whole since {overlap.counts.total:,} final bars of the overlap were not as stored"
        return fetched, Comparison(said, found, _provisional(stored, fetched.bars, until)).to_metadata()

    def _refuse_emptying(self, file: BarFile, bars: pa.Table) -> None:
        """Keep a month that cannot be compared from being replaced by one without bars."""
        record = records.latest(self.instance, file)
        if not bars.num_rows and record is not None and record.rows and not self.options.accept_loss:
            raise BarsLostError(
                f"{file.symbol} {file.month} was answered whole and empty although {record.rows:,} bars of it were "
                f"stored before; the stored file stays as it is. Try again later. {revision.HOW_TO_ACCEPT}"
            )

    def _comparison(self, file: BarFile, found: Revision) -> str:
        """What was compared, where the loss may be."""
        counts = found.counts
        said = f"the {counts.compared:,} final bars of the stored file with those fetched now"
        try:
            revision.require_small_loss(file, found)
        except BarsLostError as error:
            if not self.options.accept_loss:
                raise
            self.log.warning("accepted, since the run's tags say so: %s", error)
            said += "; their loss was accepted by a tag of the run"
        if counts.total:
            text = f"{counts.changed:,} changed, {counts.gained:,} added, {counts.lost:,} lost of {counts.compared:,}"
            self.log.warning("%s: final bars were revised, %s", file, text)
        return said


def fetch_metadata(month: Month, fetched: "FetchedMonth") -> Metadata:
    """What is recorded of how a month was fetched."""
    cost = {
        "requests": fetched.requests,
        "retries": fetched.retries,
        "rate_limited": fetched.rate_limited or None,  # of hardly any month: each record is kept for ever
        "fetch_seconds": round(fetched.seconds, 3),
        "downloaded_bytes": fetched.bytes,
    }
    origin = Origin(
        vendor=fetched.vendor,
        adjusted=fetched.adjusted,
        delayed=fetched.plan_delayed,
        fetched_at=fetched.fetched_at,
        complete_through=fetched.complete_through,
        state=finality.state(month, fetched.fetched_at).value,
        empty=fetched.empty,
        listed=fetched.listed,
        splits=fetched.splits.splits if fetched.splits else None,
        splits_unknown=(fetched.splits.why_unknown or None) if fetched.splits else None,
        company=fetched.company.company if fetched.company else None,
        company_unknown=(fetched.company.why_unknown or None) if fetched.company else None,
        request_ids=fetched.request_ids,
    )
    return {**origin_metadata(origin), **convert(cost)}


def _fault_of_overlap(proof: Revision, part: "FetchedMonth", kept: int) -> str:
    """Why bars fetched now cannot be joined to stored ones; empty where they can.

    Args:
        proof: of the final bars of the overlap.
        part: what was fetched, the overlap included.
        kept: how many stored bars are before the overlap.
    """
    if proof.counts.total:
        return "is not as it was"
    if part.adjusted and kept and not proof.counts.compared:
        return "has no bar to show whether there was a split since"
    return "" if kept or part.bars.num_rows else "and all before it are empty"


def _kept(proof: Revision) -> str:
    if not proof.counts.compared:
        return "no final bar was there to compare"
    return f"the last {proof.counts.compared:,} final bars of the stored file came back unchanged"


def _provisional(stored: StoredBars, bars: pa.Table, since: datetime) -> Revision:
    """What became of the bars that were stored before they were final."""
    return revision.compare(
        bar_table.between(stored.bars, since, None), bar_table.between(bars, since, None), stored.through
    )


def _with_cost_of(before: "FetchedMonth", fetched: "FetchedMonth") -> "FetchedMonth":
    return replace(
        fetched,
        requests=before.requests + fetched.requests,
        retries=before.retries + fetched.retries,
        rate_limited=before.rate_limited + fetched.rate_limited,
        seconds=before.seconds + fetched.seconds,
        bytes=before.bytes + fetched.bytes,
        request_ids=before.request_ids + fetched.request_ids,
    )
