"""Runs of `mohlcv up` that print warnings and errors alone: Dagster prints every event, and no option changes that.

What a run records, and what the UI shows of it, is the same. `services` sets the variable, which its processes inherit.
"""

import os
from typing import Any, Final

from mohlcv_dagster.dagster_patches.guard import obstacle, warn_once

VARIABLE: Final = "MOHLCV_RUNS_PRINT"
"""The lowest level that runs print, such as `WARNING`; Dagster's own, `DEBUG`, where it is not set."""
_LOGGERS: Final = "default_system_loggers"


def install() -> None:
    """Have the runs of this process print from the level in `VARIABLE` on; nothing where it is not set."""
    level = os.environ.get(VARIABLE)
    if not level:
        return
    from dagster._core.execution import context_creation_job  # noqa: PLC0415 - only the processes of `mohlcv up` need it

    if reason := obstacle(context_creation_job, [_LOGGERS]):
        warn_once("Printing warnings and errors of runs alone", reason)
        return
    module: Any = context_creation_job
    own = module.default_system_loggers

    def quieter(instance: Any) -> Any:  # noqa: ANN401 - as Dagster's own
        return [(logger, {**config, "log_level": level}) for logger, config in own(instance)]

    module.default_system_loggers = quieter
