"""What of a stored month is outstanding before a fetch: nothing, a part of it, or nobody knows."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from mohlcv_dagster.bars import settlement
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.settlement import State
from mohlcv_dagster.defs import records
from mohlcv_dagster.defs.orders import NO_ORDERS
from mohlcv_dagster.defs.refresh import Refresh
from mohlcv_dagster.reader import Reader

if TYPE_CHECKING:
    from datetime import datetime

    from mohlcv_dagster.vendor.massive import MassiveVendor


@dataclass(frozen=True)
class Outstanding:
    """A stored month.

    Attributes:
        state: settled or provisional; `None` where this home does not know when it was fetched, so that it is skipped.
        since: of a provisional one, from which moment on it is asked for again; `None` for the whole of it.
    """

    state: State | None
    since: "datetime | None" = None


def of(instance: dg.DagsterInstance, reader: Reader, vendor: "MassiveVendor", file: BarFile) -> Outstanding:
    """What is outstanding of the stored month `file`.

    Args:
        instance: what is recorded.
        reader: what is stored; a provisional month is read.
        vendor: who would be asked; is not.
        file: a raw month that is there.
    """
    record = records.latest(instance, file)
    if record is None or record.fetched_at is None:
        return Outstanding(None)
    state = settlement.state(file.month, record.fetched_at)
    if state is State.SETTLED:
        return Outstanding(state)
    refresh = Refresh(vendor, reader, instance, NO_ORDERS, dg.get_dagster_logger())
    return Outstanding(state, refresh.since(file))
