"""What is worth knowing of a month beside its bars: disks that could not hold it, neighbours that it does not match."""

import dagster as dg

from mohlcv_dagster.bars.files import BarFile, portability_note
from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.partitions import SYMBOL


def of_month(instance: dg.DagsterInstance, file: BarFile, *, adjusted: bool) -> list[str]:
    """A sentence for each thing worth knowing of a raw month that was just fetched.

    Args:
        instance: knows the other symbols and the months beside this one.
        file: the raw month.
        adjusted: whether its bars are adjusted for later splits.
    """
    others = frozenset(instance.get_dynamic_partitions(SYMBOL)) - {file.symbol}
    found = [portability_note(file.symbol, others), _mixture(instance, file, adjusted=adjusted)]
    return [note for note in found if note]


def _mixture(instance: dg.DagsterInstance, file: BarFile, *, adjusted: bool) -> str | None:
    """Adjusted and unadjusted months of one symbol make jumps that no market made."""
    for month in (file.month.previous(), file.month.next()):
        record = records.latest(instance, BarFile(file.symbol, file.timeframe, month))
        flag = record.origin.get("adjusted") if record else None
        if flag is not None and flag.value != adjusted:
            kinds = ("adjusted", "unadjusted") if adjusted else ("unadjusted", "adjusted")
            return f"{file.symbol} {file.month} is {kinds[0]} for splits, {month} beside it {kinds[1]}: fetch one anew."
    return None
