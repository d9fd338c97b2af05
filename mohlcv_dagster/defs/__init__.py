"""Dagster definitions: assets and asset checks, partitions, resources, IO manager, jobs, schedules, sensors.

All assets of bars and their checks are one `multi_asset` (`assets`), whose step takes one month after the other through
all steps (`partition_loop`). The rules are those of `checks`; none is named here.

The code location loads no reader and no client of the vendor. Modules that need them are imported when a step begins
(`partition_loop`, `check_runner`, `month_metadata`, `quality_step`). Tests check both: what a load imports, and that
every module imported late can be imported.

Other modules in this folder are users' own, such as `dg scaffold defs dagster.asset my_asset.py` makes; see
`definitions.scaffolded`.
"""

from typing import Final

MODULES: Final = frozenset(
    """
    __init__ adoption adoption_state alerts asset_checks assets automation check_runner dead_runs event_log failures
    home_metrics io_managers jobs metadata month_metadata month_state partition_loop partitions progress
    quality_asset quality_basis quality_events quality_history quality_page quality_rows quality_step records
    refresh resources run_queue run_tags
    """.split()  # noqa: SIM905 - as a list it would have a line for each
)
"""The modules of this package itself."""
ENVIRONMENT: Final = "environment"
"""The folder whose `defs.yaml` names the settings for `dg list envs`."""
