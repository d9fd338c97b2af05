"""How runs ended, and the sentences that say why one failed."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

import dagster as dg

from mohlcv_dagster.defs.failures import FAILED_PARTITIONS
from mohlcv_dagster.defs.month_events import Outcome

LONGEST: Final = 300
"""Characters of a sentence in the table."""
_AT_ONCE: Final = 500


class Failure(NamedTuple):
    """Why a step failed, and the reason of each partition that failed, where it tells of single ones."""

    sentence: str
    partitions: Mapping[str, str]


Ended: TypeAlias = tuple[Outcome, tuple[Failure, ...]]
"""How a run ended, and why it failed."""


def outcomes(instance: dg.DagsterInstance, run_ids: Collection[str]) -> dict[str, Ended]:
    """How each of these runs ended as far as a file that it did not make is concerned.

    Args:
        instance: knows the runs; one that was deleted did not make the file and is not called failed.
        run_ids: which runs.
    """
    wanted = sorted(run_ids)
    runs = [
        run
        for start in range(0, len(wanted), _AT_ONCE)
        for run in instance.get_runs(dg.RunsFilter(run_ids=wanted[start : start + _AT_ONCE]))
    ]
    found: dict[str, Ended] = dict.fromkeys(wanted, (Outcome.NOT_MADE, ()))
    for run in runs:
        if not run.is_finished:
            found[run.run_id] = (Outcome.UNDER_WAY, ())
        elif run.status is dg.DagsterRunStatus.FAILURE:
            found[run.run_id] = (Outcome.FAILED, tuple(_failures(instance, run.run_id)))
    return found


def sentence(failures: Sequence[Failure], partition: str) -> str:
    """Why a partition was not made, of what a failed run tells: of this partition, else the first reason.

    Args:
        failures: of the run.
        partition: which one.
    """
    own = [each.partitions[partition] for each in failures if partition in each.partitions]
    return _shortened(next(iter([*own, *(each.sentence for each in failures)]), ""))


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[Failure]:
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds)]
    failed = [event for event in events if event and event.is_step_failure]
    steps = [failure for event in failed if (failure := _failure(event)).sentence]
    return steps or [Failure(event.message or "", {}) for event in events if event]


def _failure(event: dg.DagsterEvent) -> Failure:
    data = event.step_failure_data
    if data.user_failure_data is None or not data.user_failure_data.description:
        return Failure(data.error.message.strip() if data.error is not None else "", {})
    partitions = data.user_failure_data.metadata.get(FAILED_PARTITIONS)
    told = partitions.data if isinstance(partitions, dg.JsonMetadataValue) else None
    return Failure(data.user_failure_data.description, told if isinstance(told, dict) else {})


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
