"""The code location: everything joined. `workspace.yaml` loads `defs` from here.

Loading needs no key and no network. Definitions that users scaffold into `defs/` are part of it.
"""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import dagster as dg

from mohlcv_dagster import defs as folder
from mohlcv_dagster.checks import registry
from mohlcv_dagster.defs import alerts, automation, dead_runs, jobs, quality_asset
from mohlcv_dagster.defs.assets import IO_MANAGER, RETRY_WHEN_UNAVAILABLE, bars_assets
from mohlcv_dagster.defs.io_managers import BarsCsvIOManager
from mohlcv_dagster.defs.partitions import asset_key, months_by_symbol
from mohlcv_dagster.defs.quality_asset import coverage_asset
from mohlcv_dagster.defs.resources import ArchiveResource, ProviderResource, io_manager_of_others, not_configurable
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.settings import Settings, apply_calendar

_FOLDER: Final = Path(folder.__file__).parent
_DEFAULT_IO_MANAGER: Final = "io_manager"


def build(
    settings: Settings,
    *,
    massive: ProviderResource | None = None,
    archive: ArchiveResource | None = None,
    retry: dg.RetryPolicy = RETRY_WHEN_UNAVAILABLE,
) -> dg.Definitions:
    """The code location that `settings` ask for.

    Args:
        settings: what the user decided.
        massive: the vendor; by default the one that the settings name.
        archive: the files; by default those in the folder that the settings name.
        retry: how often, and after what time, a vendor that was away is asked again.

    Raises:
        CalendarError: the file of overridden days cannot be used. They apply to the process: the last location built
            decides.
    """
    apply_calendar(settings)
    partitions = months_by_symbol(settings.start)
    place = archive or ArchiveResource(data_dir=settings.data_dir)
    archive = ArchiveResource(
        data_dir=place.data_dir,
        raw_dir=place.raw_dir,
        aggregated_dir=place.aggregated_dir,
        parquet=settings.parquet,
        history=settings.history,
    )
    bars = bars_assets(partitions, settings.timeframes, retry)
    refresh = jobs.refresh_job(settings.timeframes)
    rules_of = {
        dg.AssetCheckKey(asset_key(each), check.name): tuple(rule.name for rule in check.rules)
        for each in (RAW, *settings.timeframes)
        for check in registry.checks_for(each)
    }
    assets = [bars, coverage_asset(settings.timeframes, rules_of, adjusted=settings.adjusted)]
    return dg.Definitions(
        assets=_linked_to_code(assets),
        resources={
            "massive": not_configurable(massive or ProviderResource.of(settings)),
            "archive": not_configurable(archive),
            IO_MANAGER: BarsCsvIOManager(archive).definition(),
        },
        jobs=[
            refresh,
            jobs.re_verify_job(settings.timeframes, settings.start),
            jobs.backfill_job(settings.timeframes, partitions, settings.start),
        ],
        schedules=[automation.refresh_schedule()],
        sensors=[automation.sensor(), quality_asset.after_runs_sensor(), dead_runs.sensor(), *alerts.sensors()],
        executor=dg.in_process_executor,
    )


def _linked_to_code(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with a link to where each is written, which the catalogue opens in an editor (a beta feature)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        linked = dg.with_source_code_references(assets)
    return [each for each in linked if isinstance(each, dg.AssetsDefinition)]


def scaffolded() -> list[dg.Definitions]:
    """What users added to `defs/` with `dg scaffold defs …`: Python modules, and folders of components.

    Where there is any, Dagster imports all modules in the folder, also those that only steps need. None of ours has a
    definition at module level, so nothing is loaded twice.
    """
    if not any(_is_users(path) for path in _FOLDER.iterdir()):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return [dg.ComponentTree.from_module(folder, _FOLDER.parents[1]).build_defs()]


def _is_users(path: Path) -> bool:
    if path.is_dir():
        return not path.name.startswith((".", "__")) and path.name != folder.ENVIRONMENT
    return path.suffix == ".py" and path.stem not in folder.MODULES


def joined(own: dg.Definitions, users: Sequence[dg.Definitions]) -> dg.Definitions:
    """All definitions as one location, with Dagster's default IO manager as no launch can configure it.

    A user's IO manager of that name is kept.
    """
    named = {name for each in users for name in each.resources or {}}
    default = {} if _DEFAULT_IO_MANAGER in named else {_DEFAULT_IO_MANAGER: io_manager_of_others()}
    return dg.Definitions.merge(own, *users, dg.Definitions(resources=default))


defs = joined(build(Settings.from_environment(os.environ)), scaffolded())
