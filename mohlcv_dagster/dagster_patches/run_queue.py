"""Dagster's run queue with a daemon that looks for backfills every few seconds; homes made by `mohlcv` use it.

Dagster 1.13 looks every 30 seconds for backfills that were launched or are over, and has no setting for it: a month is
made in less time than that. The daemon asks the queue for its own interval before it starts to look; then the interval
for backfills, a private name of Dagster's, is set. A test launches a backfill and sees it begin.
"""

import sys
from collections.abc import Mapping
from typing import Any, Final, Self, cast

from dagster import Field, IntSource, QueuedRunCoordinator
from dagster._serdes import ConfigurableClassData

from mohlcv_dagster.dagster_patches.guard import obstacle

INTERVAL: Final = 2
"""Seconds. A look takes a hundredth of a second of CPU, and with a backfill of 600 months under way four."""
_CONTROLLER: Final = "dagster._daemon.controller"
_INTERVAL_OF_THE_DAEMON: Final = "DEFAULT_DAEMON_INTERVAL_SECONDS"
_OPTION: Final = "backfill_interval_seconds"


class PromptRunCoordinator(QueuedRunCoordinator):
    """`QueuedRunCoordinator` with an option more.

    Attributes:
        backfill_interval_seconds: between two looks for backfills.
    """

    backfill_interval_seconds: int = INTERVAL

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - what Dagster's own says
        """The options of Dagster's own, and `backfill_interval_seconds`."""
        own = Field(
            IntSource, is_required=False, default_value=INTERVAL, description="Between two looks for backfills."
        )
        return {**cast("dict[str, Field]", super().config_type()), _OPTION: own}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """The queue that a `dagster.yaml` asks for."""
        queue = super().from_config_value(inst_data, config_value)
        queue.backfill_interval_seconds = config_value[_OPTION]
        return queue

    @property
    def dequeue_interval_seconds(self) -> int:
        """How often the queue is looked at; asked by the daemon alone, once, before it begins."""
        controller = sys.modules.get(_CONTROLLER)
        if controller is not None and obstacle(controller, (_INTERVAL_OF_THE_DAEMON,)) is None:
            controller.DEFAULT_DAEMON_INTERVAL_SECONDS = self.backfill_interval_seconds  # type: ignore[attr-defined]
        return super().dequeue_interval_seconds
