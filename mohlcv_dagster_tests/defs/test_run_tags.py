"""Runs are found by symbol and month, however they were launched."""

import dagster as dg

from mohlcv_dagster.defs import run_tags
from mohlcv_dagster_tests.defs.location import location, run
from mohlcv_dagster_tests.defs.test_several import FIRST, SECOND, THIRD, WHOLE

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
    assert found(instance, **{"2024-02": "SPY"}) == {single, several}
    assert found(instance, **{"2024-03": "SPY"}) == {several}
    assert found(instance, symbol="QQQ", month="2024-02") == {other}
    assert instance.get_run_by_id(several).tags["mohlcv/month"] == "2024-01...2024-03"


def test_tags_of_several_symbols_say_the_months_alone():
    assert run_tags.of_partitions(["2024-02|SPY", "2024-01|QQQ"]) == {"mohlcv/month": "2024-01...2024-02"}
    assert run_tags.of_partitions([]) == {}


def test_a_run_of_a_decade_carries_no_tag_a_month():
    decade = [f"{year}-{month:02d}|SPY" for year in range(2010, 2020) for month in range(1, 13)]

    assert run_tags.of_partitions(decade) == {"mohlcv/month": "2010-01...2019-12", "mohlcv/symbol": "SPY"}
