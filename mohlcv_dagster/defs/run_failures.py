"""How runs ended, and the sentences that say why one failed."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, TypeAlias

import dagster as dg

from mohlcv_dagster.defs.month_events import Outcome

LONGEST: Final = 300
"""Characters of a sentence in the table."""
_AT_ONCE: Final = 500
_BETWEEN: Final = " · "
"""What stands between the failures that one sentence tells of several partitions."""


class Failure(NamedTuple):
    """Why a step failed; `step` is empty where it is told of the run as a whole."""

    step: str
    sentence: str


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


def sentence(failures: Sequence[Failure], partition: str, asset: str) -> str:
    """Why a file was not made, of what a failed run tells: of its partition, else of its asset's step, else the first.

    Args:
        failures: of the run.
        partition: of the file.
        asset: of the file, such as `aggregated/15s`.
    """
    step = asset.replace("/", "__")
    own = [each.sentence for each in failures if f"{partition}: " in each.sentence]
    if own:
        return _shortened(own[0].split(f"{partition}: ", 1)[1].split(_BETWEEN, 1)[0])
    of_step = [each.sentence for each in failures if each.step == step]
    return _shortened(next(iter([*of_step, *(each.sentence for each in failures)]), ""))


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[Failure]:
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds)]
    failed = [event for event in events if event and event.is_step_failure]
    steps = [Failure(event.step_key or "", said) for event in failed if (said := _said(event))]
    return steps or [Failure("", event.message or "") for event in events if event]


def _said(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    return data.error.message.strip() if data.error is not None else ""


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
