"""How a raw month stands before it is fetched: what is stored and known to be right is not asked for again."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

import dagster as dg

from mohlcv_dagster.bars import settlement
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.defs import records, verdicts

if TYPE_CHECKING:
    from mohlcv_dagster.archive import Archive


class Step(Enum):
    """What is to be done."""

    FETCH = "downloaded"
    COMPLETE = "completed"
    JUDGE = "checked"
    NOTHING = "skipped"


@dataclass(frozen=True)
class Standing:
    """What is to be done about a month.

    Attributes:
        step: what.
        why: what is said of one that is stored; empty where there is nothing to say.
    """

    step: Step = Step.FETCH
    why: str = ""


def standing_of(archive: "Archive", instance: dg.DagsterInstance, file: BarFile) -> Standing:
    """What is to be done about `file`, unless all of it is ordered anew."""
    if not archive.exists(file):
        return Standing()
    record = records.latest(instance, file)
    at = record.fetched_at if record else None
    if record is None or at is None:
        return _unrecorded(archive, instance, file, known=record is not None)
    if settlement.state(file.month, at) is not settlement.State.SETTLED:
        return Standing(Step.COMPLETE, f"completing: fetched at {_minute(at)}, provisional until {_settles(file)}")
    said = verdicts.verdict(instance, file)
    if said.errors:
        return Standing(why=f"downloading again: the stored file fails {', '.join(said.errors)}")
    if said.unjudged:
        return Standing(Step.JUDGE, "checking: stored, but the run that stored it was ended before its checks")
    return Standing(Step.NOTHING, "skipped: stored")


def _unrecorded(archive: "Archive", instance: dg.DagsterInstance, file: BarFile, *, known: bool) -> Standing:
    """A file of which it is not recorded when its bars were fetched: not after it was written."""
    if verdicts.cut_short(instance, archive, file):
        return Standing(why="downloading again: the run that stored it was killed before it could record it")
    written = datetime.fromtimestamp(archive.path(file).stat().st_mtime, UTC)
    if settlement.state(file.month, written) is not settlement.State.SETTLED:
        return Standing(why=f"downloading again: written at {_minute(written)}, provisional until {_settles(file)}")
    unknown = "though when it was fetched is not known" if known else "though not by this home"
    return Standing(Step.NOTHING, f"skipped: stored, {unknown}; --force fetches it again")


def _settles(file: BarFile) -> str:
    return _minute(settlement.settles_at(file.month))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}Z"
