"""Our errors as Dagster failures, and why a run failed, read from its events.

A failure has the message with its cure as description, and the facts as metadata.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import dagster as dg

from mohlcv_dagster.errors import (
    DiskFullError,
    FailedRulesError,
    MissingKeyError,
    MohlcvError,
    PlanError,
    UnknownKeyError,
    UntrustedCertificateError,
    VendorError,
    VendorUnavailableError,
)

INESCAPABLE: Final = (UnknownKeyError, MissingKeyError, UntrustedCertificateError, DiskFullError)
"""What makes one month fail will make every other fail: no other is tried in the same run."""
KIND: Final = "error"
"""The metadata of a failure that has the type of our error."""
FAILED_PARTITIONS: Final = "failed partitions"
"""The metadata of a failure of several partitions that has the reason of each."""
LONGEST_REASON: Final = 300
"""Characters of a reason in the table of `quality/coverage`."""
_SHOWN: Final = 12


@contextmanager
def as_dagster_failure() -> Iterator[None]:
    """Turn an error of ours that leaves the block into a `dagster.Failure`; others pass through as they are."""
    try:
        yield
    except MohlcvError as error:
        raise failure(error) from error


def failure(error: MohlcvError) -> dg.Failure:
    """The failure that shows `error` to the user."""
    metadata: dict[str, dg.MetadataValue] = {
        KIND: dg.MetadataValue.text(type(error).__name__),
        "trying again helps": dg.MetadataValue.bool(isinstance(error, VendorUnavailableError)),
    }
    if isinstance(error, VendorError):
        if error.request_id is not None:
            metadata["request_id"] = dg.MetadataValue.text(error.request_id)
        if error.status is not None:
            metadata["http_status"] = dg.MetadataValue.int(error.status)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=False)


def partitions_failure(errors: Mapping[str, MohlcvError], not_tried: int, *, of: int) -> dg.Failure:
    """The failure of a run in which partitions failed: how many, which, and why, each reason once.

    Args:
        errors: what failed, by partition.
        not_tried: how many partitions were not tried any more.
        of: how many partitions the run was to make.
    """
    if of == 1:
        return failure(*errors.values())
    said = " · ".join(f"{listed(sorted(which))}: {why}" for why, which in _reasons(errors).items())
    kinds = sorted({type(error).__name__ for error in errors.values()})
    return dg.Failure(
        description=f"{len(errors)} failed, {not_tried} not tried, of {of} partitions. {said}",
        metadata={
            FAILED_PARTITIONS: dg.MetadataValue.json({each: str(errors[each]) for each in sorted(errors)}),
            KIND: dg.MetadataValue.text(", ".join(kinds)),
        },
        allow_retries=False,
    )


def _reasons(errors: Mapping[str, MohlcvError]) -> dict[str, list[str]]:
    """The partitions that failed, by reason.

    A plan refuses each month in a sentence that names it: that of the newest month is given for all of them.
    """
    refused = [partition for partition, error in errors.items() if isinstance(error, PlanError)]
    newest = str(errors[max(refused)]) if refused else ""
    reasons: dict[str, list[str]] = {}
    for partition, error in errors.items():
        reasons.setdefault(newest if isinstance(error, PlanError) else str(error), []).append(partition)
    return reasons


def listed(partitions: Sequence[str]) -> str:
    """Partitions as a sentence names them: the first of many."""
    more = f" and {len(partitions) - _SHOWN} more" if len(partitions) > _SHOWN else ""
    return ", ".join(partitions[:_SHOWN]) + more


# ---- why a run failed


@dataclass(frozen=True)
class StepFailure:
    """Why a step failed.

    Attributes:
        sentence: the reason.
        partitions: the reason of each partition that failed, where single ones are named.
        step: the key of the step; empty where the run failed and none of its steps.
        of_checks: whether it failed because of blocking checks only.
    """

    sentence: str
    partitions: Mapping[str, str] = field(default_factory=dict)
    step: str = ""
    of_checks: bool = False


def step_failures(instance: dg.DagsterInstance, run_id: str) -> list[StepFailure]:
    """Why the steps of a run failed; where no step did, why the run failed."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds)]
    failed = [_step_failure(event) for event in events if event and event.is_step_failure]
    steps = [failure for failure in failed if failure.sentence]
    return steps or [StepFailure(event.message or "") for event in events if event]


def _step_failure(event: dg.DagsterEvent) -> StepFailure:
    data, step = event.step_failure_data, event.step_key or ""
    failure = data.user_failure_data
    if failure is None or not failure.description:
        return StepFailure(data.error.message.strip() if data.error is not None else "", step=step)
    partitions, kind = failure.metadata.get(FAILED_PARTITIONS), failure.metadata.get(KIND)
    reasons = partitions.data if isinstance(partitions, dg.JsonMetadataValue) else None
    of_checks = isinstance(kind, dg.TextMetadataValue) and kind.text == FailedRulesError.__name__
    return StepFailure(failure.description, reasons if isinstance(reasons, dict) else {}, step, of_checks)


def reason(failures: Sequence[StepFailure], partition: str) -> str:
    """Why a partition was not made by a failed run: its own reason, else the first one, in `LONGEST_REASON` characters.

    Args:
        failures: of the run.
        partition: which one.
    """
    own = [each.partitions[partition] for each in failures if partition in each.partitions]
    text = " ".join(next(iter([*own, *(each.sentence for each in failures)]), "").split())
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"
