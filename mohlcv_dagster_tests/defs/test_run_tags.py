"""Runs are found by symbol and month, however they were launched."""

import dagster as dg

from mohlcv_dagster.defs import run_tags
from mohlcv_dagster_tests.defs.location import execute_checks_alone, location, run
from mohlcv_dagster_tests.defs.test_partition_loop import FIRST, SECOND, THIRD, WHOLE

ALL = ("raw_1s", "aggregated/15s")


def found(instance, **tags):
    """The ids of the runs that a filter by these tags leaves, `mohlcv/` left out of their names."""
    filters = dg.RunsFilter(tags={f"mohlcv/{name}": value for name, value in tags.items()})
    return {record.run_id for record in instance.get_runs(filters)}


def test_a_run_of_one_month_and_one_of_a_range_are_found_by_symbol_and_month(tmp_path, instance):
    definitions = location(tmp_path, {**WHOLE, ("QQQ", "2024-02"): WHOLE["SPY", "2024-02"]})
    single = run(definitions, instance, SECOND, *ALL).run_id
    several = run(definitions, instance, FIRST, *ALL, until=THIRD).run_id
    other = run(definitions, instance, "2024-02|QQQ", *ALL).run_id

    assert found(instance, symbol="SPY") == {single, several}
    assert found(instance, symbol="SPY", month="2024-02") == {single}
    assert found(instance, symbol="SPY", month="2024-01...2024-03") == {several}
    assert found(instance, symbol="QQQ", month="2024-02") == {other}
    ours = {name for name in instance.get_run_by_id(several).tags if name.startswith("mohlcv/")}
    assert ours == {"mohlcv/symbol", "mohlcv/month", "mohlcv/progress"}


def test_tags_of_several_symbols_name_each_and_the_first_and_the_last_month():
    assert run_tags.for_partitions(["2024-02|SPY", "2024-01|QQQ", "2024-02|QQQ"]) == {
        "mohlcv/symbol": "QQQ, SPY",
        "mohlcv/month": "2024-01...2024-02",
    }
    assert run_tags.for_partitions([]) == {}


def test_more_symbols_than_a_tag_has_room_for_are_told_by_their_number():
    symbols = [f"AA{chr(65 + number)}" for number in range(13)]

    twelve = run_tags.for_partitions([f"2024-01|{symbol}" for symbol in symbols[:12]])
    assert twelve["mohlcv/symbol"] == ", ".join(symbols[:12])
    thirteen = run_tags.for_partitions([f"2024-01|{symbol}" for symbol in symbols])
    assert thirteen == {"mohlcv/symbol": "13 symbols", "mohlcv/month": "2024-01"}


def test_a_run_of_checks_alone_is_found_by_its_month_and_one_over_all_that_is_stored_has_no_tag(tmp_path, instance):
    definitions = location(tmp_path, WHOLE)
    run(definitions, instance, FIRST, "raw_1s")
    one = execute_checks_alone(definitions, instance, "raw_1s", FIRST, "valid").run_id
    every = execute_checks_alone(definitions, instance, "raw_1s", None, "valid").run_id

    assert one in found(instance, symbol="SPY", month="2024-01")
    assert {"mohlcv/symbol", "mohlcv/month"}.isdisjoint(instance.get_run_by_id(every).tags)


def test_a_run_of_a_decade_carries_no_tag_a_month():
    decade = [f"{year}-{month:02d}|SPY" for year in range(2010, 2020) for month in range(1, 13)]

    assert run_tags.for_partitions(decade) == {"mohlcv/month": "2010-01...2019-12", "mohlcv/symbol": "SPY"}
