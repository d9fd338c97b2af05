"""What a launch may configure: never where the key is sent, nor which files are written."""

import dagster as dg
import pytest

from mohlcv_dagster.definitions import build, joined
from mohlcv_dagster.settings import Settings
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import location, run

LOCATION = joined(build(Settings.from_environment({})), [])
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


OF_ASSETS = {
    "execution.config.marker_to_close": "String",  # of the events of a run, a text
    "execution.config.step_dependency_config.require_upstream_step_success": "Bool",
    "loggers.console.config.log_level": "String",
    "loggers.console.config.name": "String",
}
MAY_BE_SET = {
    "__ASSET_JOB": OF_ASSETS,
    "refresh_month_in_progress": OF_ASSETS,
    "backfill_a_symbol": {
        "symbol": "String",
        "first_month": "String",
        "last_month": "String",
        "only_failed_and_missing": "Bool",
        "force": "Bool",
    },
    "re_verify_a_range": {
        "symbols.*": "String",
        "first_month": "String",
        "last_month": "String",
        "ask_the_vendor": "Bool",
    },
}
"""Everything that a launch can set. `StringSource` and the like would read any variable of the environment."""


def values(schema, path=()):
    """Each value that a config can hold, by its path, with the name of its type."""
    if hasattr(schema, "fields"):
        for name, field in schema.fields.items():
            yield from values(field.config_type, (*path, name))
    elif hasattr(schema, "inner_type"):
        yield from values(schema.inner_type, (*path, "*"))
    else:
        yield ".".join(path), schema.given_name or schema.key


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_launch_can_set_these_values_and_no_other_and_none_is_read_from_the_environment(job):
    assert dict(values(JOBS[job].run_config_schema.config_type)) == MAY_BE_SET[job]


@pytest.mark.parametrize(
    ("job", "config"),
    [
        ("backfill_a_symbol", {"symbol": {"env": "MASSIVE_API_KEY"}}),
        ("backfill_a_symbol", {"symbol": "SPY", "first_month": {"env": "MASSIVE_API_KEY"}}),
        ("re_verify_a_range", {"symbols": [{"env": "MASSIVE_API_KEY"}]}),
        ("re_verify_a_range", {"last_month": {"env": "MASSIVE_API_KEY"}}),
    ],
)
def test_a_launch_that_asks_for_a_variable_of_the_environment_is_refused_and_told_nothing(monkeypatch, job, config):
    monkeypatch.setenv("MASSIVE_API_KEY", "K3Y")  # as a symbol may look

    with pytest.raises(dg.DagsterInvalidConfigError, match="Invalid scalar") as refused:
        dg.validate_run_config(JOBS[job], config)
    assert "K3Y" not in str(refused.value)


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


def test_an_io_manager_of_the_users_by_dagsters_default_name_is_kept():
    theirs = dg.Definitions(resources={"io_manager": dg.FilesystemIOManager(base_dir="theirs")})

    assert joined(dg.Definitions(), [theirs]).resources["io_manager"].base_dir == "theirs"


def test_an_asset_of_the_users_is_stored_by_dagsters_io_manager_as_before(instance):
    @dg.asset
    def mine() -> int:
        return 7

    @dg.asset
    def twice(mine: int) -> int:
        return 2 * mine

    made = joined(dg.Definitions(assets=[mine, twice]), []).resolve_implicit_global_asset_job_def()

    assert made.execute_in_process(instance=instance).output_for_node("twice") == 14
