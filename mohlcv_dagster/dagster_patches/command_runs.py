"""Runs that the command executes itself, recorded as runs that the UI launches: with their target and their location.

`JobDefinition.execute_in_process` records neither the assets nor the code location of its run. The UI then shows no
target, has no place for the run in the timeline, and cannot run it again.
"""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import dagster as dg

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once

LOCATION: Final = "mohlcv_dagster.definitions"
"""The module of the code location, after which Dagster names it."""
_CREATE: Final = "create_run"


@contextmanager
def recorded_as_launched(
    instance: dg.DagsterInstance, assets: Collection[dg.AssetKey], checks: Collection[dg.AssetCheckKey] | None
) -> Iterator[None]:
    """Record the target of the runs that are created in this block, and the code location that they are of.

    Args:
        instance: where the runs are created; by this thread alone.
        assets: those that the run materializes.
        checks: those that it evaluates; `None` for all of the assets.
    """
    domain: Any = getattr(instance, "run_domain", None)
    if reason := obstacle(domain, [_CREATE]):
        warn_once("Showing the target of the command's runs", reason)
        yield
        return
    create = domain.create_run
    domain.create_run = lambda **named: create(
        **{
            **named,
            "asset_selection": frozenset(assets) or None,
            "asset_check_selection": None if checks is None else frozenset(checks),
            "remote_job_origin": _origin(named["job_name"]),
        }
    )
    try:
        yield
    finally:
        del domain.create_run  # the method of the class is there again


def _origin(job: str) -> Any:  # noqa: ANN401 - Dagster does not export its type
    """Where a job of our code location is found, as the UI's own runs say."""
    from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME  # noqa: PLC0415 - it takes its time to load
    from dagster._core.remote_origin import (  # noqa: PLC0415 - as above
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin  # noqa: PLC0415 - as above

    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=LOCATION)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, LOCATION)
    return RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME).get_job_origin(job)
