"""Runs over several months of a symbol, as a backfill makes them."""

import dagster as dg

from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs import records
from mohlcv_dagster.errors import PlanError, UnreachableError
from mohlcv_dagster_tests.bars.clean_files import AGGREGATE_CHECKS, HEADER, NOT_WHOLE, RAW_CHECKS
from mohlcv_dagster_tests.defs.location import HandedVendor, location, run

FIRST, SECOND, THIRD = PARTITIONS = ("2024-01|SPY", "2024-02|SPY", "2024-03|SPY")
ALL = ("raw_1s", "aggregated/15s")


def month(number):
    return HEADER + b"2024-%02d-05 14:30:01+00:00,10.0,11.0,9.0,10.5,7\n" % number


WHOLE = {("SPY", f"2024-{number:02d}"): month(number) for number in (1, 2, 3)}
FEBRUARY = ("SPY", "2024-02")
BROKEN = {**WHOLE, FEBRUARY: month(2).replace(b"11.0", b"8.0")}


def verdicts(result):
    return {
        (e.asset_key.to_user_string(), e.check_name, e.partition): e.passed
        for e in result.get_asset_check_evaluations()
    }


def raw_verdicts(*partitions):
    """Of months of one bar: clean, and not whole."""
    rules = {name: name not in NOT_WHOLE for name in RAW_CHECKS}
    return {("raw_1s", rule, partition): passed for rule, passed in rules.items() for partition in partitions}


def stored(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.csv"))


def description(result, node):
    return result.failure_data_for_node(node).user_failure_data.description


def test_a_backfill_gives_a_run_up_to_a_year_of_a_symbols_months():
    graph = defs.resolve_asset_graph()

    partitioned = [key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def]
    assert len(partitioned) == 4
    for key in partitioned:
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.multi_run(max_partitions_per_run=12)


def test_every_month_is_stored_recorded_and_judged_under_its_own_partition(tmp_path, instance):
    result = run(location(tmp_path, WHOLE), instance, FIRST, *ALL, until=THIRD)

    assert verdicts(result) == raw_verdicts(*PARTITIONS) | {
        ("aggregated/15s", rule, partition): True for rule in AGGREGATE_CHECKS for partition in PARTITIONS
    }
    for number, partition in enumerate(PARTITIONS, start=1):
        file = BarFile.parse(f"raw_1s/SPY/SPY_2024_{number:02d}.csv")
        assert (tmp_path / str(file.path)).read_bytes() == month(number)
        made = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("raw_1s"), asset_partitions=[partition]), limit=9
        ).records
        assert len(made) == 1
        assert made[0].asset_materialization.metadata["dagster/partition_row_count"].value == 1
        assert made[0].asset_materialization.metadata["requests"].value == 25
    assert len(stored(tmp_path)) == 6


def test_a_month_that_cannot_be_fetched_is_named_and_the_others_are_stored_recorded_and_judged(tmp_path, instance):
    months = {key: content for key, content in WHOLE.items() if key != FEBRUARY}
    result = run(location(tmp_path, months), instance, FIRST, *ALL, until=THIRD, expect=False)

    assert description(result, "raw_1s").startswith("1 of 3 partitions failed. 2024-02|SPY: SPY has no trades")
    assert stored(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv", "raw_1s/SPY/SPY_2024_03.csv"]
    assert instance.get_materialized_partitions(dg.AssetKey("raw_1s")) == {FIRST, THIRD}
    assert records.latest(instance, BarFile.parse("raw_1s/SPY/SPY_2024_03.csv")).rows == 1
    assert verdicts(result) == raw_verdicts(FIRST, THIRD)


def test_what_failed_can_be_made_alone_afterwards(tmp_path, instance):
    months = {key: content for key, content in WHOLE.items() if key != FEBRUARY}
    run(location(tmp_path, months), instance, FIRST, *ALL, until=THIRD, expect=False)
    run(location(tmp_path, WHOLE), instance, SECOND, "raw_1s")
    result = run(location(tmp_path, WHOLE), instance, FIRST, "aggregated/15s", until=THIRD)

    assert set(verdicts(result).values()) == {True}
    assert len(stored(tmp_path)) == 6


def test_a_broken_raw_month_is_not_folded_and_does_not_hold_back_the_others(tmp_path, instance):
    result = run(location(tmp_path, BROKEN), instance, FIRST, *ALL, until=THIRD, expect=False)

    failing = {key for key, passed in verdicts(result).items() if not passed}
    assert failing == {("raw_1s", "ohlc_order", SECOND)} | {("raw_1s", "sessions_present", each) for each in PARTITIONS}
    assert "1 of 3 partitions failed. 2024-02|SPY: nothing is made from" in description(result, "aggregated__15s")
    assert stored(tmp_path) == [
        "aggregated/15s/SPY_2024_01_15s.csv",
        "aggregated/15s/SPY_2024_03_15s.csv",
        "raw_1s/SPY/SPY_2024_01.csv",
        "raw_1s/SPY/SPY_2024_02.csv",
        "raw_1s/SPY/SPY_2024_03.csv",
    ]
    assert instance.get_materialized_partitions(dg.AssetKey(["aggregated", "15s"])) == {FIRST, THIRD}


def test_a_vendor_that_is_away_is_not_asked_for_the_rest_and_the_step_may_be_tried_again(tmp_path, instance):
    months = {**WHOLE, FEBRUARY: UnreachableError("cannot be reached")}
    definitions = location(tmp_path, months, retry=dg.RetryPolicy(max_retries=1, delay=0))
    result = run(definitions, instance, FIRST, "raw_1s", until=THIRD, expect=False)

    assert "1 of 3 partitions failed. 2024-02|SPY: cannot be reached" in description(result, "raw_1s")
    assert stored(tmp_path) == ["raw_1s/SPY/SPY_2024_01.csv"]
    assert [event.event_type_value for event in result.all_events].count("STEP_UP_FOR_RETRY") == 1


class AwayOnce(HandedVendor):
    """Cannot be reached the first time February is asked for."""

    def fetch_month(self, symbol, month, **options):
        again = (symbol, "2024-02", "second", None) in self.asked
        bars = super().fetch_month(symbol, month, **options)
        if str(month) == "2024-02" and not again:
            raise UnreachableError("cannot be reached")
        return bars


def test_a_step_that_is_tried_again_goes_on_from_the_month_that_failed(tmp_path, instance):
    vendor = AwayOnce(WHOLE)
    definitions = location(tmp_path, vendor, retry=dg.RetryPolicy(max_retries=1, delay=0))
    result = run(definitions, instance, FIRST, "raw_1s", until=THIRD)

    assert [month for _, month, _, _ in vendor.asked] == ["2024-01", "2024-02", "2024-02", "2024-03"]
    assert verdicts(result) == raw_verdicts(*PARTITIONS)
    for number in (1, 2, 3):
        record = records.latest(instance, BarFile.parse(f"raw_1s/SPY/SPY_2024_{number:02d}.csv"))
        assert (record.rows, record.adjusted) == (1, False)
    assert {each.target_materialization_data for each in result.get_asset_check_evaluations()[-1:]} == {
        record.materialization
    }


def test_a_refused_month_fails_alone_and_is_not_tried_again(tmp_path, instance):
    months = {**WHOLE, ("SPY", "2024-01"): PlanError("the plan does not reach 2024-01")}
    definitions = location(tmp_path, months, retry=dg.RetryPolicy(max_retries=1, delay=0))
    result = run(definitions, instance, FIRST, "raw_1s", until=THIRD, expect=False)

    assert stored(tmp_path) == ["raw_1s/SPY/SPY_2024_02.csv", "raw_1s/SPY/SPY_2024_03.csv"]
    assert [event.event_type_value for event in result.all_events].count("STEP_UP_FOR_RETRY") == 0
