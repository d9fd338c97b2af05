"""What is computed about the bars of a month and recorded with it: the file, its coverage, pictures and notes.

Needs arrays. What is recorded without them is in `metadata`.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import dagster as dg
import numpy as np
import pyarrow as pa

from mohlcv_dagster.bars import bar_table, coverage, incidents, trade_figures
from mohlcv_dagster.bars.bar_table import to_numpy
from mohlcv_dagster.bars.coverage import Coverage
from mohlcv_dagster.charts import month_charts
from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.metadata import (
    LARGEST_GAP,
    LAST_CLOSE,
    MISSING_MINUTES,
    OCCUPANCY,
    OUTSIDE_HOURS,
    TRADES,
    VWAP_OUTSIDE,
    Metadata,
    convert,
)
from mohlcv_dagster.defs.partitions import SYMBOL
from mohlcv_dagster.errors import MonthError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model import exchange_calendar
from mohlcv_dagster.model.bar_files import BarFile, portability_note
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Origin, Provenance
from mohlcv_dagster.storage.archive import Written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mohlcv_dagster.model.listings import KnownSplits
    from mohlcv_dagster.providers.base import FetchedMonth
    from mohlcv_dagster.storage.versions import Version

PRICES: Final = "price and volume by session"
MINUTES: Final = "minutes with bars"
MOST_GAPS: Final = 100
"""How many stretches of missing minutes are recorded, the longest first chosen: each month's are kept for ever."""
FORMER: Final = "former_versions"
VERSIONS: Final = "versions"
MOST_VERSIONS: Final = 20
"""How many former versions a materialization lists, the newest first: each is kept in the event log for ever."""
_SHOWN: Final = 12


def provenance(bars: pa.Table, written: Written, origin: Origin) -> Provenance:
    """The record of a file that was written with these bars."""
    starts = bar_table.seconds(bars)
    first, last = (datetime.fromtimestamp(int(starts[at]), UTC) if bars.num_rows else None for at in (0, -1))
    return Provenance(
        bars.num_rows,
        written.sha256,
        size=written.size,
        uri=written.uri,
        first_bar=first,
        last_bar=last,
        volume_type="int64" if bar_table.has_whole_volume(bars) else "float64",
        stamp=written.stamp or None,
        **vars(origin),
    )


def coverage_metadata(bars: pa.Table, month: Month, complete_through: datetime) -> Metadata:
    """What a raw month has and lacks by the exchange calendar; no occupancy where no session has bars.

    Args:
        bars: rising strictly.
        month: which month.
        complete_through: the moment (exclusive) up to which they were asked for.

    Raises:
        MonthError: the month is beyond the exchange calendar.
    """
    found = coverage.measure(bar_table.seconds(bars), month, complete_through)
    last = to_numpy(bars["close"].slice(bars.num_rows - 1)) if bars.num_rows else None
    return {
        **minutes_metadata(found),
        **convert(
            {
                "sessions_expected": found.expected,
                "sessions_present": found.present,
                "calendar": exchange_calendar.source(),
                OCCUPANCY: None if found.occupancy is None else round(found.occupancy, 4),
                LAST_CLOSE: None if last is None else float(last[0]),
            }
        ),
    }


def trades_metadata(bars: pa.Table, figures: pa.Table | None) -> Metadata:
    """The trades of a raw month, and its bars whose average price is outside their range; nothing where none is known.

    Args:
        bars: its bars.
        figures: their trades and average prices (see `bars.trade_figures`).
    """
    if figures is None:
        return {}
    counted, averaged = (to_numpy(figures[name]) for name in trade_figures.NAMES)
    return convert(
        {
            TRADES: None if np.isnan(counted).all() else int(np.nansum(counted)),
            VWAP_OUTSIDE: None if np.isnan(averaged).all() else trade_figures.outside_range(bars, figures),
        }
    )


def minutes_metadata(found: Coverage) -> Metadata:
    """The minutes that a raw month lacks and has too many of by the exchange calendar.

    Missing minutes are recorded, so that symbols can be compared without reading all files. Those of a quiet symbol are
    not: it lacks thousands by nature.
    """
    facts: dict[str, object] = {
        LARGEST_GAP: max((each.gap_seconds for each in found.sessions), default=0) // 60,
        OUTSIDE_HOURS: int(found.outside.sum()),
    }
    if found.liquid:
        longest = sorted(incidents.of_coverage(found), key=lambda gap: -gap.minutes)[:MOST_GAPS]
        facts[MISSING_MINUTES] = [gap.written for gap in sorted(longest)]
    return convert(facts)


def charts(file: BarFile, bars: pa.Table, complete_through: datetime) -> Metadata:
    """The pictures of a raw month; none of a month without bars or beyond the exchange calendar.

    Args:
        file: which month.
        bars: its bars, rising.
        complete_through: the moment (exclusive) up to which they were asked for.
    """
    if not bars.num_rows:
        return {}
    try:
        prices = month_charts.draw_session_prices(file.symbol, file.month, bars, complete_through)
        minutes = month_charts.draw_minutes_of_day(file.symbol, file.month, bar_table.seconds(bars), complete_through)
    except MonthError:
        return {}
    return {PRICES: dg.MetadataValue.md(prices.markdown), MINUTES: dg.MetadataValue.md(minutes.markdown)}


def former_versions(versions: "Sequence[Version]") -> Metadata:
    """How many former versions of a raw month are kept, and the newest of them; nothing where none is.

    Args:
        versions: those in the order in which they were stored.
    """
    former = [(each, each.following) for each in versions if each.following is not None]
    rows = [
        dg.TableRecord(
            {
                "stored": f"{each.stored_at:%Y-%m-%d %H:%M:%S}Z",
                "superseded": f"{following.superseded_at:%Y-%m-%d %H:%M:%S}Z",
                "why": following.why,
                **{name: getattr(following, name) for name in ("changed", "added", "removed")},
                "bars": each.rows,
                "sha256": each.sha256,
            }
        )
        for each, following in former[-MOST_VERSIONS:][::-1]
    ]
    return {FORMER: dg.MetadataValue.int(len(former)), VERSIONS: dg.MetadataValue.table(rows)} if rows else {}


def notes(instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth") -> list[str]:
    """A sentence for each thing worth knowing of a raw month that was just fetched.

    Args:
        instance: knows the other symbols and the months next to this one.
        file: the raw month.
        fetched: what came of it.
    """
    others = frozenset(instance.get_dynamic_partitions(SYMBOL)) - {file.symbol}
    found = [
        portability_note(file.symbol, others),
        _mixed_adjustment(instance, file, adjusted=fetched.adjusted),
        f"{file.symbol} {file.month} is empty: {fetched.empty.reason}." if fetched.empty else None,
        _unknown_splits(file, fetched.splits),
        _months_before_split(instance, file, fetched),
    ]
    return [note for note in found if note]


def _mixed_adjustment(instance: dg.DagsterInstance, file: BarFile, *, adjusted: bool) -> str | None:
    """Adjusted and unadjusted months of one symbol make jumps that no market made."""
    for month in file.month.neighbours:
        record = records.latest(instance, BarFile(file.symbol, file.timeframe, month))
        if record is not None and record.adjusted is not None and record.adjusted != adjusted:
            kinds = ("adjusted", "unadjusted") if adjusted else ("unadjusted", "adjusted")
            return (
                f"{file.symbol} {file.month} is {kinds[0]} for splits, {month} next to it is {kinds[1]}: "
                "fetch one of them again."
            )
    return None


def _unknown_splits(file: BarFile, known: "KnownSplits | None") -> str | None:
    """Adjusted bars of which nobody will be able to say which splits they include."""
    if known is None or known.splits is not None:
        return None
    return f"The splits of {file.symbol} are unknown, so a later look cannot tell them all: {known.why_unknown}."


def _months_before_split(instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth") -> str | None:
    """Months that this fetch shows to be on a former basis; their rule `split_basis` says so whenever it runs."""
    stale = records.months_before_split(instance, file, fetched)
    if not stale:
        return None
    lacking = ", ".join(str(split) for split in sorted({split for each in stale.values() for split in each}))
    shown = ", ".join(str(month) for month in list(stale)[:_SHOWN]) + (", …" if len(stale) > _SHOWN else "")
    count = quantity(len(stale), "stored month")
    return f"{count} of {file.symbol} came before a split ({lacking}): {shown}; fetch them again."
