"""What is worth knowing of a month beside its bars: disks that could not hold it, neighbours that it does not match."""

from typing import TYPE_CHECKING

import dagster as dg

from mohlcv_dagster.defs import records, splits
from mohlcv_dagster.defs.partitions import SYMBOL
from mohlcv_dagster.model.bar_files import BarFile, portability_note

_SHOWN = 12

if TYPE_CHECKING:
    from mohlcv_dagster.model.splits import KnownSplits
    from mohlcv_dagster.providers.base import FetchedMonth


def of_month(instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth") -> list[str]:
    """A sentence for each thing worth knowing of a raw month that was just fetched.

    Args:
        instance: knows the other symbols and the months beside this one.
        file: the raw month.
        fetched: what came of it.
    """
    others = frozenset(instance.get_dynamic_partitions(SYMBOL)) - {file.symbol}
    found = [
        portability_note(file.symbol, others),
        _mixture(instance, file, adjusted=fetched.adjusted),
        f"{file.symbol} {file.month} is empty: {fetched.empty.reason}." if fetched.empty else None,
        _unknown_splits(file, fetched.splits),
        _made_stale(instance, file, fetched),
    ]
    return [note for note in found if note]


def _mixture(instance: dg.DagsterInstance, file: BarFile, *, adjusted: bool) -> str | None:
    """Adjusted and unadjusted months of one symbol make jumps that no market made."""
    for month in file.month.neighbours:
        record = records.latest(instance, BarFile(file.symbol, file.timeframe, month))
        flag = record.origin.get("adjusted") if record else None
        if flag is not None and flag.value != adjusted:
            kinds = ("adjusted", "unadjusted") if adjusted else ("unadjusted", "adjusted")
            return f"{file.symbol} {file.month} is {kinds[0]} for splits, {month} beside it {kinds[1]}: fetch one anew."
    return None


def _unknown_splits(file: BarFile, known: "KnownSplits | None") -> str | None:
    """Adjusted bars of which nobody will be able to say on which splits they stand."""
    if known is None or known.splits is not None:
        return None
    return f"The splits of {file.symbol} are unknown, so a later look cannot tell them all: {known.why_unknown}."


def _made_stale(instance: dg.DagsterInstance, file: BarFile, fetched: "FetchedMonth") -> str | None:
    """Months that this fetch shows to be on a former basis; their check `split_basis` says so whenever it runs."""
    stale = splits.made_stale(instance, file, fetched)
    if not stale:
        return None
    lacking = ", ".join(str(split) for split in sorted({split for each in stale.values() for split in each}))
    shown = ", ".join(str(month) for month in list(stale)[:_SHOWN]) + (", …" if len(stale) > _SHOWN else "")
    plural = "month of" if len(stale) == 1 else "months of"
    return f"{len(stale)} stored {plural} {file.symbol} came before a split ({lacking}): {shown}; fetch them anew."
