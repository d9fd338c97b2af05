from datetime import date
from io import StringIO

import dagster as dg
import pytest
from rich.console import Console

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.cli import runs
from mohlcv_dagster.cli.console import Summary
from mohlcv_dagster.cli.progress_bar import Display
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster_tests.checks.whole_months import whole_month
from mohlcv_dagster_tests.defs.location import HandedVendor, location

SPY = BarFile("SPY", RAW, Month(2024, 1))


def test_an_interrupted_run_ends_at_once_and_says_so_instead_of_fetching_on(tmp_path, monkeypatch):
    def interrupted(self, symbol, month, *, on_progress=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(HandedVendor, "fetch_month", interrupted)
    with dg.DagsterInstance.ephemeral() as instance:
        with pytest.raises(KeyboardInterrupt):
            runs.materialize(location(tmp_path, {}), instance, SPY, [RAW])

        [run] = instance.get_runs()
        types = {entry.dagster_event.event_type for entry in instance.all_logs(run.run_id) if entry.dagster_event}
        assert instance.get_dynamic_partitions("symbol") == []
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in types
    assert not list(tmp_path.rglob("*"))


def test_an_error_that_does_not_block_lets_the_run_succeed_and_is_shown_and_counted_as_an_error(tmp_path):
    said = StringIO()
    console = Console(file=said, width=160)
    content = csv_codec.encode(whole_month("AAC", "2024-01", without={date(2024, 1, 10)}))
    file = BarFile("AAC", RAW, Month(2024, 1))
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = location(tmp_path, {("AAC", "2024-01"): content})
        outcome = runs.materialize(definitions, instance, file, [RAW], Display(console, "AAC 2024-01"))
    summary = Summary("fetch", ("downloaded",), total=1)
    summary.add(file, "downloaded", outcome)
    summary.show(console)

    assert outcome.succeeded
    [check] = [check for check in outcome.checks if not check.passed]
    assert (check.name, check.error) == ("complete", True)
    assert check.message.startswith("sessions_present: ")
    assert [reason.partition(":")[0] for reason in outcome.reasons] == ["raw_1s sessions_present"]
    assert "✗ AAC 2024-01  raw_1s           4 of 5 checks passed" in said.getvalue()
    counts, _, reason = said.getvalue().rpartition("\n\n")[2].partition("\n")
    assert counts == "1 downloaded, 0 skipped, 0 failed, 1 stored with errors that do not block"
    assert reason.startswith("! AAC 2024-01:  raw_1s sessions_present: raw_1s/AAC/AAC_2024_01.csv has no bar in")


def test_a_symbol_that_was_kept_before_stays_when_its_month_fails(tmp_path):
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("symbol", ["SPY"])

        assert not runs.materialize(location(tmp_path, {}), instance, SPY, [RAW]).succeeded

        assert instance.get_dynamic_partitions("symbol") == ["SPY"]


def test_a_run_of_the_command_tells_its_target_and_its_place_in_the_timeline_as_one_of_the_ui(tmp_path):
    content = csv_codec.encode(whole_month("AAC", "2024-01"))
    file = BarFile("AAC", RAW, Month(2024, 1))
    definitions = location(tmp_path, {("AAC", "2024-01"): content})
    with dg.DagsterInstance.ephemeral() as instance:
        runs.materialize(definitions, instance, file, [RAW])
        runs.materialize(definitions, instance, file, [RAW], offline=True)
        runs.check(definitions, instance, file)

        of_the_location = dg.RunsFilter(tags={".dagster/repository": "__repository__@mohlcv_dagster.definitions"})
        checked, offline, whole = instance.get_runs(of_the_location)
    raw = dg.AssetKey("raw_1s")
    assert (whole.asset_selection, whole.asset_check_selection) == ({raw}, None)
    assert offline.asset_selection == {raw}
    assert {each.name for each in offline.asset_check_selection} >= {"intact", "valid"}
    assert (checked.asset_selection, checked.asset_check_selection) == (None, offline.asset_check_selection)
    for run in (checked, offline, whole):
        assert run.tags["dagster/partition"] == "2024-01|AAC"
        assert run.remote_job_origin.job_name == "__ASSET_JOB"
