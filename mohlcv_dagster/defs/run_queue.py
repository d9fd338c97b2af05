"""The former place of the run queue of homes made by `mohlcv`, which a `dagster.yaml` may still name."""

from mohlcv_dagster.dagster_patches.run_queue import PromptRunCoordinator

__all__ = ["PromptRunCoordinator"]
