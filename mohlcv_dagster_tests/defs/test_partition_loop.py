"""Runs over several months, as a backfill makes them: each month goes its whole way before the next is begun."""

import dagster as dg
import pandas as pd
import pytest

from mohlcv_dagster.bars import csv_codec, csv_stream
from mohlcv_dagster.checks import reading
from mohlcv_dagster.definitions import defs
from mohlcv_dagster.defs import assets, partitions, records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.checks.clean_files import EQUAL_RULES, HEADER, NOT_WHOLE, RAW_CHECKS, reorder
from mohlcv_dagster_tests.defs.location import (
    execute_checks_alone,
    failing_rules,
    failure_of,
    location,
    passed_by_check,
    passed_by_rule,
    run,
)

FIRST, SECOND, THIRD = PARTITIONS = ("2024-01|SPY", "2024-02|SPY", "2024-03|SPY")
ALL = ("raw_1s", "aggregated/15s")
RAW_QUESTIONS = ("intact", "valid", "complete", "plausible", "current")
AGGREGATE_QUESTIONS = ("intact", "matches_raw")


def month(number):
    return HEADER + b"2024-%02d-05 14:30:01+00:00,10.0,11.0,9.6,10.5,7\n" % number


def month_15s(number):
    return HEADER + b"2024-%02d-05 14:30:00+00:00,10.0,11.0,9.6,10.5,7\n" % number


WHOLE = {("SPY", f"2024-{number:02d}"): month(number) for number in (1, 2, 3)}
FEBRUARY = ("SPY", "2024-02")
BROKEN = {**WHOLE, FEBRUARY: month(2).replace(b"11.0", b"9.5")}


def raw_passed(*partitions):
    """Of months of one bar: clean, and not whole."""
    return {("raw_1s", rule, each): rule not in NOT_WHOLE for rule in RAW_CHECKS for each in partitions}


def aggregates_passed(*partitions, asset="aggregated/15s"):
    """Of the aggregates of these months."""
    return {(asset, rule, each): True for rule in EQUAL_RULES for each in partitions}


def stored(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.csv"))


def paths(*numbers):
    """The files of these months of 2024, as `stored` lists them."""
    aggregates = [f"aggregated/15s/SPY_2024_{number:02d}_15s.csv" for number in numbers]
    return [*aggregates, *(f"raw_1s/SPY/SPY_2024_{number:02d}.csv" for number in numbers)]


def materialized(instance, asset):
    return instance.get_materialized_partitions(dg.AssetKey.from_user_string(asset))


def test_a_backfill_gives_a_run_up_to_a_year_of_a_symbols_months():
    graph = defs.resolve_asset_graph()

    partitioned = [key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def]
    assert len(partitioned) == 4
    for key in partitioned:
        assert graph.get(key).backfill_policy == dg.BackfillPolicy.multi_run(max_partitions_per_run=12)


def test_every_month_is_stored_recorded_and_checked_under_its_own_partition(tmp_path, instance):
    result = run(location(tmp_path, WHOLE), instance, FIRST, *ALL, until=THIRD)

    assert passed_by_rule(result) == raw_passed(*PARTITIONS) | aggregates_passed(*PARTITIONS)
    for number, partition in enumerate(PARTITIONS, start=1):
        file = BarFile.parse(f"raw_1s/SPY/SPY_2024_{number:02d}.csv")
        assert (tmp_path / str(file.path)).read_bytes() == month(number)
        assert (tmp_path / f"aggregated/15s/SPY_2024_{number:02d}_15s.csv").read_bytes() == month_15s(number)
        made = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("raw_1s"), asset_partitions=[partition]), limit=9
        ).records
        assert len(made) == 1
        assert made[0].asset_materialization.metadata["dagster/partition_row_count"].value == 1
        assert made[0].asset_materialization.metadata["requests"].value == 25
    assert stored(tmp_path) == paths(1, 2, 3)


def test_each_evaluation_points_to_the_materialization_of_its_own_file(tmp_path, instance):
    result = run(location(tmp_path, WHOLE), instance, FIRST, *ALL, until=THIRD)

    found = result.get_asset_check_evaluations()
    assert len(found) == 3 * 7
    for each in found:
        record = records.latest(instance, partitions.file_of(each.asset_key, each.partition))
        assert each.target_materialization_data == record.materialization


def test_a_month_goes_its_whole_way_before_the_next_is_begun(tmp_path, instance):
    result = run(location(tmp_path, WHOLE), instance, FIRST, *ALL, until=THIRD)

    told = []
    for event in result.all_events:
        if event.is_step_materialization:
            made = event.step_materialization_data.materialization
            told.append((made.partition, made.asset_key.to_user_string(), "made"))
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            found = event.asset_check_evaluation_data
            told.append((found.partition, found.asset_key.to_user_string(), found.check_name))
    assert told == [
        (partition, asset, what)
        for partition in PARTITIONS
        for asset, questions in (("raw_1s", RAW_QUESTIONS), ("aggregated/15s", AGGREGATE_QUESTIONS))
        for what in ("made", *questions)
    ]


def test_a_broken_raw_month_holds_back_its_own_aggregates_and_no_others(tmp_path, instance):
    result = run(location(tmp_path, BROKEN), instance, FIRST, *ALL, until=THIRD, expect=False)

    assert set(failing_rules(result)) == {
        ("raw_1s", "ohlc_order", SECOND),
        *(("raw_1s", "sessions_present", each) for each in PARTITIONS),
    }
    said = failure_of(result).description
    assert said.startswith("1 failed, 0 not tried, of 3 partitions. 2024-02|SPY: nothing is made from")
    assert "ohlc_order: 1 of 1 bar" in said
    assert stored(tmp_path) == sorted([*paths(1, 3), "raw_1s/SPY/SPY_2024_02.csv"])
    assert materialized(instance, "aggregated/15s") == {FIRST, THIRD}
    assert materialized(instance, "raw_1s") == set(PARTITIONS)


def test_what_failed_can_be_made_alone_afterwards(tmp_path, instance):
    run(location(tmp_path, BROKEN), instance, FIRST, *ALL, until=THIRD, expect=False)
    result = run(location(tmp_path, WHOLE), instance, SECOND, *ALL)

    revised = {("raw_1s", "revised", SECOND): False}  # its bar is not the one that was stored
    assert passed_by_rule(result) == raw_passed(SECOND) | aggregates_passed(SECOND) | revised
    assert stored(tmp_path) == paths(1, 2, 3)


def test_a_run_of_several_symbols_makes_the_months_of_each(tmp_path, instance):
    months = WHOLE | {("AAPL", key): content for (_, key), content in WHOLE.items()}
    instance.add_dynamic_partitions("symbol", ["AAPL", "SPY"])
    result = run(location(tmp_path, months), instance, "2024-01|AAPL", *ALL, until="2024-03|SPY")

    every = [f"2024-0{number}|{symbol}" for symbol in ("AAPL", "SPY") for number in (1, 2, 3)]
    assert passed_by_rule(result) == raw_passed(*every) | aggregates_passed(*every)
    assert materialized(instance, "raw_1s") == materialized(instance, "aggregated/15s") == set(every)
    assert len(stored(tmp_path)) == 12
    tags = instance.get_run_by_id(result.run_id).tags
    assert (tags["mohlcv/symbol"], tags["mohlcv/month"]) == ("AAPL, SPY", "2024-01...2024-03")


@pytest.fixture
def decoded(monkeypatch):
    """The bytes of every file that is decoded; each is long enough to be read a piece at a time."""
    seen = []
    monkeypatch.setattr(reading, "AT_ONCE", 0)
    stream, at_once = csv_stream.read, csv_codec.decode

    def read(file, **options):
        seen.append(file.read())
        file.seek(0)
        return stream(file, **options)

    def decode(content):
        seen.append(bytes(content))
        return at_once(content)

    monkeypatch.setattr(csv_stream, "read", read)
    monkeypatch.setattr(csv_codec, "decode", decode)
    return seen


def test_each_raw_file_is_decoded_once_a_run_whatever_is_made_of_it(tmp_path, instance, decoded):
    vendor = {key: reorder(content) for key, content in WHOLE.items()}  # other bytes than those that are stored
    definitions = location(tmp_path, vendor, timeframes="15s,30s,1min")
    run(definitions, instance, FIRST, "raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min", until=THIRD)

    assert (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").read_bytes() == month(1)
    assert [content for content in decoded if content in WHOLE.values()] == [month(1), month(2), month(3)]


def test_aggregates_alone_are_made_of_what_is_stored_and_the_vendor_is_not_asked(tmp_path, instance):
    run(location(tmp_path, WHOLE), instance, FIRST, "raw_1s", until=THIRD)
    result = run(location(tmp_path, {}), instance, FIRST, "aggregated/15s", until=THIRD)

    assert passed_by_rule(result) == aggregates_passed(*PARTITIONS)
    assert stored(tmp_path) == paths(1, 2, 3)


def test_raw_months_alone_are_made_without_their_aggregates(tmp_path, instance):
    result = run(location(tmp_path, WHOLE), instance, FIRST, "raw_1s", until=THIRD)

    assert passed_by_rule(result) == raw_passed(*PARTITIONS)
    assert stored(tmp_path) == [path for path in paths(1, 2, 3) if path.startswith("raw_1s")]


def test_checks_alone_over_all_that_is_stored_say_the_same_again_and_make_nothing(tmp_path, instance):
    run(location(tmp_path, WHOLE), instance, FIRST, *ALL, until=THIRD)
    (tmp_path / "aggregated/15s/SPY_2024_02_15s.csv").unlink()
    before = stored(tmp_path)
    raw = execute_checks_alone(location(tmp_path, {}), instance, "raw_1s", None, *RAW_QUESTIONS)
    aggregates = execute_checks_alone(location(tmp_path, {}), instance, "aggregated/15s", None, *AGGREGATE_QUESTIONS)

    assert (raw.success, aggregates.success) == (True, True)
    assert passed_by_rule(raw) == raw_passed(*PARTITIONS)
    assert passed_by_rule(aggregates) == aggregates_passed(FIRST, THIRD) | {
        ("aggregated/15s", "readable", SECOND): False
    }
    assert passed_by_check(aggregates)["aggregated/15s", "intact", None] is False
    assert passed_by_check(aggregates)["aggregated/15s", "matches_raw", None] is True
    assert stored(tmp_path) == before
    for result in (raw, aggregates):
        assert [event for event in result.all_events if event.is_step_materialization] == []


def highest_of(seen):
    """A user's own asset on months: it looks at the aggregates of each partition."""

    @dg.asset(
        partitions_def=partitions.months_by_symbol(Month(2003, 9)),
        backfill_policy=assets.BACKFILL,
        ins={"bars": dg.AssetIn(["aggregated", "15s"])},
    )
    def highest(bars: dict[str, pd.DataFrame]) -> None:
        seen.update({partition: frame["high"].max() for partition, frame in bars.items()})

    return highest


@pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`:dagster.BetaWarning")
def test_a_users_own_asset_downstream_is_made_in_the_same_run_where_all_months_are_good(tmp_path, instance):
    seen = {}
    definitions = location(tmp_path, WHOLE, extra=[highest_of(seen)])
    run(definitions, instance, FIRST, *ALL, "highest", until=THIRD)

    assert seen == dict.fromkeys(PARTITIONS, 11.0)
    assert materialized(instance, "highest") == set(PARTITIONS)
    assert [len(instance.fetch_materializations(dg.AssetKey("raw_1s"), limit=9).records)] == [3]


@pytest.mark.filterwarnings("ignore:Parameter `backfill_policy`:dagster.BetaWarning")
def test_a_users_own_asset_downstream_is_left_out_of_a_run_in_which_a_month_failed(tmp_path, instance):
    seen = {}
    definitions = location(tmp_path, BROKEN, extra=[highest_of(seen)])
    run(definitions, instance, FIRST, *ALL, "highest", until=THIRD, expect=False)

    assert seen == {}
    assert materialized(instance, "highest") == set()
