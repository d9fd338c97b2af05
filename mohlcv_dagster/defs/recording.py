"""Events that no step of ours made, recorded as a run of their own, so that the UI shows them like any other.

Not as events without a run: of those Dagster 1.13 keeps one evaluation a check and partition, and refuses a second.
"""

import uuid
from types import TracebackType
from typing import Any, Final, Self

import dagster as dg

from mohlcv_dagster.dagster_patches.unexported import materialization_data

JOB: Final = "mohlcv_adopt"
"""The job that the run is said to be of; no code location has it."""


class Recording:
    """A run that is begun with its first event, as a context manager: without an event there is no run.

    Only one may be open on an instance: what a killed one left is called failed when the next one is begun.

    Args:
        instance: where it is recorded.
    """

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._run: dg.DagsterRun | None = None

    def __enter__(self) -> Self:
        left = dg.RunsFilter(job_name=JOB, statuses=[dg.DagsterRunStatus.STARTED])
        for run in self._instance.get_runs(left):
            self._instance.report_run_failed(run, "It was killed; the next one goes on from there.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._run is None:
            return
        if error is None:
            self._tell(dg.DagsterEventType.RUN_SUCCESS, None, self._run.run_id)
        elif isinstance(error, KeyboardInterrupt):
            self._instance.report_run_canceled(self._run, "It was interrupted; the next one goes on from there.")
        else:
            self._instance.report_run_failed(self._run, str(error))

    def materialized(self, made: dg.AssetMaterialization) -> None:
        """Record that a partition is materialized."""
        self._tell(dg.DagsterEventType.ASSET_MATERIALIZATION, materialization_data(made), self._begun())

    def evaluated(self, evaluation: dg.AssetCheckEvaluation) -> None:
        """Record what a check says."""
        self._tell(dg.DagsterEventType.ASSET_CHECK_EVALUATION, evaluation, self._begun())

    def _begun(self) -> str:
        if self._run is None:
            run = dg.DagsterRun(job_name=JOB, run_id=str(uuid.uuid4()), status=dg.DagsterRunStatus.NOT_STARTED)
            self._run = self._instance.add_run(run)
            self._tell(dg.DagsterEventType.RUN_START, None, run.run_id)
        return self._run.run_id

    def _tell(self, kind: dg.DagsterEventType, what: Any, run_id: str) -> None:  # noqa: ANN401 - DagsterEvent's own type
        event = dg.DagsterEvent(event_type_value=kind.value, job_name=JOB, event_specific_data=what)
        self._instance.report_dagster_event(event, run_id=run_id)
