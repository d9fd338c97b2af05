"""Whether the event log lost something since the last reading: an asset was wiped, or a run was deleted.

No event tells of either, and an asset that was wiped and has no file since does not tell of the wipe. So a few facts
are kept of what was there, which either of them changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from mohlcv_dagster.dagster_patches import check_rows


@dataclass(frozen=True)
class There:
    """What was there to be read.

    Attributes:
        newest_run: the run begun last; empty for none.
        runs: how many were begun before it.
        oldest: by asset, the oldest row of its checks and the count of rows, as `check_rows.Oldest` has them.
    """

    newest_run: str = ""
    runs: int = 0
    oldest: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, instance: dg.DagsterInstance, database: check_rows.Database | None, assets: Sequence[dg.AssetKey]
    ) -> "There":
        """What is there now. Ask before anything is read: what is lost meanwhile is then noticed the next time.

        Args:
            instance: whose runs are counted.
            database: its event log; `None` where its tables are not to be read, and no rows are looked at.
            assets: those of bars.
        """
        newest_run = next(iter(instance.get_run_ids(limit=1)), "")
        oldest = {} if database is None else {key: check_rows.oldest(database, key) for key in assets}
        rows = {key.to_user_string(): (each.row, each.count) for key, each in oldest.items()}
        return cls(newest_run, _runs_before(instance, newest_run), rows)

    def lacks(self, before: "There", instance: dg.DagsterInstance) -> bool:
        """Whether something that was there before is not there any more.

        Args:
            before: what was there at the last reading; of one that never was, nothing is lost.
            instance: knows the runs.
        """
        run_id = before.newest_run
        if run_id and not (instance.has_run(run_id) and _runs_before(instance, run_id) == before.runs):
            return True
        return any(_is_wiped(rows, self.oldest.get(asset, ("", 0))) for asset, rows in before.oldest.items())


def _runs_before(instance: dg.DagsterInstance, run_id: str) -> int:
    return len(instance.get_run_ids(cursor=run_id)) if run_id else 0


def _is_wiped(before: tuple[str, int], now: tuple[str, int]) -> bool:
    return now[1] < before[1] or bool(before[0] and now[0] != before[0])
