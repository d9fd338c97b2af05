"""Whole jobs under Dagster, each in a fresh process with the imports it needs; the home is the environment's."""

import os
import sys
from dataclasses import replace
from typing import Any, Final

import dagster as dg

from benchmarks.case import Case

REPORT: Final[dict[str, Any]] = {}
"""`run_id` of a run, `pandas` after a load."""


def materialize(case: Case) -> list[str]:
    """The month through `raw_1s` and every aggregate, with all checks and events; what failed."""
    from mohlcv_dagster.cli import runs  # noqa: PLC0415 - as above
    from mohlcv_dagster.definitions import build  # noqa: PLC0415 - as above
    from mohlcv_dagster.model.bar_files import BarFile  # noqa: PLC0415 - the empty runs load nothing of ours
    from mohlcv_dagster.model.months import Month  # noqa: PLC0415 - as above
    from mohlcv_dagster.model.timeframes import RAW  # noqa: PLC0415 - as above
    from mohlcv_dagster.settings import Settings  # noqa: PLC0415 - as above

    settings = Settings.from_environment(os.environ)
    raw = BarFile(case.symbol, RAW, Month.parse(case.month))
    with dg.DagsterInstance.get() as instance:
        outcome = runs.materialize(build(settings), instance, raw, [RAW, *settings.timeframes])
    REPORT["run_id"] = outcome.run_id
    return list(outcome.reasons)  # errors only: generated months trade on holidays too, which is a warning


def materialize_each(case: Case) -> list[str]:
    """Every month of every symbol (named with commas between), one run each, in one process."""
    pieces = [(symbol, month) for symbol in case.symbol.split(",") for month in case.months]
    months = [materialize(replace(case, symbol=symbol, months=(month,))) for symbol, month in pieces]
    return [fault for faults in months for fault in faults]


def make_coverage(case: Case) -> None:  # noqa: ARG001 - every job takes a case
    """`quality/coverage` alone; reports the seconds of its run, from its start to its end."""
    from mohlcv_dagster.definitions import defs  # noqa: PLC0415 - as above
    from mohlcv_dagster.defs.quality_asset import KEY  # noqa: PLC0415 - as above

    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection={KEY})
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(instance=instance)
        record = instance.get_run_record_by_id(result.run_id)
    if record is None or record.start_time is None or record.end_time is None:
        raise RuntimeError("Dagster has not recorded when the run of quality/coverage began and ended")
    REPORT["run"] = record.end_time - record.start_time


def materialize_nothing(case: Case) -> list[str]:  # noqa: ARG001 - every job takes a case
    """One asset that does nothing."""

    @dg.asset
    def nothing() -> None:
        """Nothing."""

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    with dg.DagsterInstance.get() as instance:
        result = dg.materialize([nothing], instance=instance, run_config=quiet)
    return [] if result.success else ["the empty run failed"]


def load(case: Case) -> None:  # noqa: ARG001 - as above
    """The code location, as a code server loads it."""
    from mohlcv_dagster.definitions import defs  # noqa: PLC0415 - this is what is measured

    defs.get_repository_def().load_all_definitions()
    REPORT["pandas"] = "pandas" in sys.modules


def load_nothing(case: Case) -> None:  # noqa: ARG001 - as above
    """A code location with nothing in it."""
    dg.Definitions().get_repository_def().load_all_definitions()
