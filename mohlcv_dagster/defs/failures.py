"""Our errors as Dagster failures: the cure as description, the facts as metadata, tried again only where that helps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import dagster as dg

from mohlcv_dagster.errors import MohlcvError, UnknownKeyError, VendorError, VendorUnavailableError

HOPELESS: Final = (VendorUnavailableError, UnknownKeyError)
"""What keeps the vendor from answering for one month will for the next: it is not asked again in the same step."""


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Turn an error of ours that leaves the block into a `dagster.Failure`; others pass through as they are."""
    try:
        yield
    except MohlcvError as error:
        raise failure(error) from error


@contextmanager
def tried_again(policy: dg.RetryPolicy, attempts_before: int) -> Iterator[None]:
    """Ask Dagster to start the step again after a failure that leaves the block and says that this may help.

    In the place of an asset's own `retry_policy`: Dagster 1.13 follows that one when a run is interrupted too, so that
    a terminated run, or a command that was sent Ctrl-C, would wait and fetch on.

    Args:
        policy: how often, and how long to wait before.
        attempts_before: how often the step was started again already.
    """
    try:
        yield
    except dg.Failure as failed:
        if not failed.allow_retries:
            raise
        delay = policy.calculate_delay(attempts_before + 1)
        raise dg.RetryRequested(policy.max_retries, delay) from failed


def failure(error: MohlcvError) -> dg.Failure:
    """The failure that tells `error` to the user; Dagster may retry it only when the vendor was unavailable."""
    again = isinstance(error, VendorUnavailableError)
    metadata: dict[str, dg.MetadataValue] = {
        "error": dg.MetadataValue.text(type(error).__name__),
        "trying again helps": dg.MetadataValue.bool(again),
    }
    if isinstance(error, VendorError):
        if error.request_id is not None:
            metadata["request_id"] = dg.MetadataValue.text(error.request_id)
        if error.status is not None:
            metadata["http_status"] = dg.MetadataValue.int(error.status)
    return dg.Failure(description=str(error), metadata=metadata, allow_retries=again)


def several(errors: Mapping[str, MohlcvError], of: int) -> dg.Failure:
    """The failure of a run of several partitions; retried when one of the errors is worth it.

    Args:
        errors: what failed, by partition.
        of: how many partitions the run was to make.
    """
    said = " · ".join(f"{partition}: {error}" for partition, error in errors.items())
    return dg.Failure(
        description=f"{len(errors)} of {of} partitions failed. {said}",
        metadata={
            "failed partitions": dg.MetadataValue.json(sorted(errors)),
            "error": dg.MetadataValue.text(", ".join(sorted({type(error).__name__ for error in errors.values()}))),
        },
        allow_retries=any(isinstance(error, VendorUnavailableError) for error in errors.values()),
    )
