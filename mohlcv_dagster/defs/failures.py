"""Our errors as Dagster failures: the cure as description, the facts as metadata, retried only where that helps."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dagster as dg

from mohlcv_dagster.errors import MohlcvError, VendorError, VendorUnavailableError


@contextmanager
def told_to_dagster() -> Iterator[None]:
    """Turn an error of ours that leaves the block into a `dagster.Failure`; others pass through as they are.

    So does an interruption, since Dagster would apply the retry policy to it: Ctrl-C and *Terminate* would only begin
    the step again.
    """
    try:
        yield
    except dg.DagsterExecutionInterruptedError as interrupted:
        raise dg.Failure("interrupted; materialize the partition again", allow_retries=False) from interrupted
    except MohlcvError as error:
        raise failure(error) from error


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
