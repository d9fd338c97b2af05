"""What a launch may configure: never where the key is sent, nor which files are written."""

import dagster as dg
import pytest

from mohlcv_dagster.definitions import build
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import location, run

LOCATION = build(Settings.from_environment({}))
JOBS = {job.name: job for job in LOCATION.resolve_all_job_defs()}
CONFIGURABLE_ONCE = {
    "massive": {
        "base_url": "http://127.0.0.1:1",
        "adjusted": True,
        "concurrency": 1000,
        "requests_per_minute": 1_000_000,
    },
    "archive": {"data_dir": "elsewhere", "raw_dir": "elsewhere", "aggregated_dir": "elsewhere", "parquet": True},
    "bars_csv": {"data_dir": "elsewhere", "raw_dir": "elsewhere", "aggregated_dir": "elsewhere", "parquet": True},
}
REFUSED = [(name, field, value) for name, fields in CONFIGURABLE_ONCE.items() for field, value in fields.items()]


@pytest.mark.parametrize(("resource", "field", "value"), REFUSED)
def test_a_launch_that_configures_the_vendor_or_the_files_is_refused(resource, field, value):
    for name in ("__ASSET_JOB", "refresh_month_in_progress"):
        with pytest.raises(dg.DagsterInvalidConfigError, match=f'unexpected config entry "{field}"'):
            dg.validate_run_config(JOBS[name], {"resources": {resource: {"config": {field: value}}}})


@pytest.mark.parametrize("job", sorted(JOBS))
def test_no_resource_of_any_job_has_a_field_that_a_launch_could_set(job):
    schemas = {
        name: resource.config_schema.config_type
        for name, resource in JOBS[job].resource_defs.items()
        if name != "io_manager"  # Dagster's own, which no asset of ours uses
    }

    assert {name: schema.fields for name, schema in schemas.items()} == {name: {} for name in schemas}


def test_a_job_with_config_of_its_own_takes_none_for_resources():
    config = {"resources": {"massive": {"config": {"base_url": "http://127.0.0.1:1"}}}}

    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "resources"'):
        dg.validate_run_config(JOBS["re_verify_a_range"], config)
    with pytest.raises(dg.DagsterInvalidConfigError, match='unexpected config entry "resources"'):
        dg.validate_run_config(JOBS["backfill_a_symbol"], config)


def test_an_asset_of_the_users_still_gets_the_files_that_the_settings_name(tmp_path, instance):
    from mohlcv_dagster.defs.resources import ArchiveResource  # noqa: PLC0415 - as a user's module does

    seen = []

    @dg.asset(deps=["raw_1s"])
    def mine(archive: ArchiveResource) -> None:
        seen.append((archive.data_dir, archive.reader().archive.raw))

    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE}, extra=[mine])
    run(definitions, instance, "2024-01|SPY", "raw_1s")
    run(definitions, instance, None, "mine")

    assert seen == [(str(tmp_path), tmp_path / "raw_1s")]
