"""The public surface of the code location: what the UI's catalogue reads, pinned."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

import mohlcv_dagster
from mohlcv_dagster.definitions import build, defs
from mohlcv_dagster.defs import failures, partitions
from mohlcv_dagster.errors import PlanError, RateLimitError, SettingsError, SymbolError
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW, parse
from mohlcv_dagster.settings import Settings

QUALITY = dg.AssetKey(["quality", "coverage"])


def test_the_assets_are_those_of_the_contract():
    keys = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}

    assert keys == {"raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min", "quality/coverage"}


def test_further_timeframes_appear_when_the_setting_names_them():
    location = build(Settings.from_environment({"MOHLCV_TIMEFRAMES": "1h,45s"}))

    keys = {key.to_user_string() for key in location.resolve_asset_graph().get_all_asset_keys()}
    assert keys == {"raw_1s", "aggregated/45s", "aggregated/1h", "quality/coverage"}


def test_every_aggregate_depends_on_the_raw_bars_alone():
    graph = defs.resolve_asset_graph()

    for name in ("15s", "30s", "1min"):
        assert graph.get(dg.AssetKey(["aggregated", name])).parent_keys == {dg.AssetKey("raw_1s")}


def test_the_catalogue_tells_group_kinds_owners_columns_and_meaning_of_every_asset_of_bars():
    graph = defs.resolve_asset_graph()

    for key in graph.get_all_asset_keys() - {QUALITY}:
        node = graph.get(key)
        assert node.group_name == key.path[0].removesuffix("_1s")
        assert {"csv"} < node.kinds
        assert node.owners == ["team:market-data"]
        assert "bars of one symbol in one UTC month" in node.description
        columns = node.metadata["dagster/column_schema"].columns
        assert {column.name: column.type for column in columns} == {
            "ts_event": "timestamp[s, UTC]",
            "open": "float64",
            "high": "float64",
            "low": "float64",
            "close": "float64",
            "volume": "int64 or float64",
        }
        assert all(column.description for column in columns)
        assert {column.name: column.tags["unit"] for column in columns} == {
            "ts_event": "UTC",
            "open": "USD/share",
            "high": "USD/share",
            "low": "USD/share",
            "close": "USD/share",
            "volume": "shares",
        }
        assert all(column.constraints.other and not column.constraints.nullable for column in columns)
        assert not any(column.description in node.description for column in columns)  # the page lists them below


def test_the_catalogue_tells_as_much_of_the_table_of_quality():
    node = defs.resolve_asset_graph().get(QUALITY)

    assert (node.group_name, node.kinds, node.owners) == ("quality", {"parquet"}, ["team:market-data"])
    columns = node.metadata["dagster/column_schema"].columns
    units = {column.name: column.tags.get("unit") for column in columns}
    assert (units["rows"], units["largest_gap_minutes"], units["symbol"]) == ("bars", "minutes", None)
    nullable = {column.name for column in columns if column.constraints.nullable}
    assert {"symbol", "month", "failing"}.isdisjoint(nullable)
    assert {"rows", "state"} <= nullable
    assert "| column |" not in node.description  # the page lists them below
    assert "(/assets/quality/coverage?view=events)" in node.description


def test_every_asset_links_to_where_it_is_written():
    graph = defs.resolve_asset_graph()
    package = Path(mohlcv_dagster.__file__).parent

    for key in graph.get_all_asset_keys():
        [code] = graph.get(key).metadata["dagster/code_references"].code_references
        line = Path(code.file_path).read_text(encoding="utf-8").splitlines()[code.line_number - 1]
        assert Path(code.file_path).is_relative_to(package / "defs")
        assert line.strip() in {"@dg.multi_asset(", "@dg.asset("}


def test_partitions_are_months_by_symbols_from_the_first_month_to_the_one_in_progress():
    months = partitions.months(Month(2003, 9))

    keys = months.get_partition_keys(current_time=datetime(2026, 11, 23, tzinfo=UTC))
    assert keys[0] == "2003-09"
    assert keys[-1] == "2026-11"
    assert defs.resolve_asset_graph().get(dg.AssetKey("raw_1s")).partitions_def.partition_dimension_names == [
        "month",
        "symbol",
    ]


@pytest.mark.parametrize(
    ("key", "partition", "path"),
    [
        (["raw_1s"], "2024-01|SPY", "raw_1s/SPY/SPY_2024_01.csv"),
        (["raw_1s"], "2024-01|BRK.B", "raw_1s/BRK.B/BRK.B_2024_01.csv"),
        (["aggregated", "1min"], "2003-12|BACpB", "aggregated/1min/BACpB_2003_12_1min.csv"),
    ],
)
def test_a_partition_of_an_asset_is_one_file_of_the_contracts_layout(key, partition, path):
    assert str(partitions.file_of(dg.AssetKey(key), partition).path) == path


def test_a_partition_key_reads_month_then_symbol():
    assert partitions.partition_key("SPY", Month(2024, 1)) == "2024-01|SPY"


def test_an_asset_key_and_its_timeframe_lead_to_each_other():
    for timeframe in (RAW, parse("15s"), parse("1h")):
        assert partitions.timeframe_of(partitions.asset_key(timeframe)) == timeframe


def test_a_symbol_added_by_hand_that_cannot_be_stored_is_refused_before_any_request():
    with pytest.raises(SymbolError, match=r"'\.\./x' is not a US stock symbol"):
        partitions.file_of(dg.AssetKey("raw_1s"), "2024-01|../x")


def test_fetches_share_a_pool_so_that_their_number_can_be_bounded_over_all_runs():
    raw = defs.resolve_asset_graph().get(dg.AssetKey("raw_1s")).assets_def

    assert raw.op.pool == "massive_api"


def test_steps_of_a_run_share_one_process():
    assert defs.executor is dg.in_process_executor


def test_a_failure_carries_the_cure_and_whether_trying_again_helps():
    error = RateLimitError("too many requests; wait a minute", request_id="abc", status=429)
    failure = failures.failure(error)

    assert failure.description == "too many requests; wait a minute"
    assert failure.metadata["trying again helps"].value is True
    assert failure.metadata["error"].value == "RateLimitError"
    assert failure.metadata["request_id"].value == "abc"
    assert failure.metadata["http_status"].value == 429


@pytest.mark.parametrize("error", [PlanError("the plan lacks seconds", status=403), SettingsError("no key")])
def test_a_failure_says_that_trying_again_does_not_help_where_it_does_not(error):
    assert failures.failure(error).metadata["trying again helps"].value is False


@pytest.mark.parametrize("error", [RateLimitError("too many requests"), SettingsError("no key")])
def test_no_step_is_tried_again_as_a_whole_since_it_tries_its_months_again_itself(error):
    assert failures.failure(error).allow_retries is False
    assert failures.partitions_failure({"2024-01|SPY": error, "2024-02|SPY": error}, 0, of=2).allow_retries is False
    assert defs.resolve_asset_graph().get(dg.AssetKey("raw_1s")).assets_def.op.retry_policy is None


def test_an_error_that_is_not_ours_passes_through_as_it_is():
    with pytest.raises(ZeroDivisionError), failures.as_dagster_failure():
        raise ZeroDivisionError


def test_the_location_loads_without_a_key_without_network_and_without_pandas(tmp_path):
    refuse_and_load = (
        "import socket, sys, warnings\n"
        "def refuse(*args): raise AssertionError(f'network: {args}')\n"
        "socket.socket.connect = refuse\n"
        "import mohlcv_dagster.definitions as location\n"
        "assert location.defs.resolve_asset_graph().get_all_asset_keys()\n"
        "print([name for name in ('pandas', 'massive', 'exchange_calendars', 'uvicorn') if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", refuse_and_load], capture_output=True, text=True, cwd=tmp_path, check=False, env={}
    )

    assert done.stderr == ""
    assert done.stdout == "[]\n"
