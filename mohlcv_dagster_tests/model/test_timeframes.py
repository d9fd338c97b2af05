"""The timeframes that are offered, and how a list of them is read."""

import pytest

from mohlcv_dagster.errors import TimeframeError
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.timeframes import AGGREGATED, RAW


def test_the_nine_timeframes_of_the_original_are_offered_by_name_and_length():
    assert {timeframe.name: timeframe.seconds for timeframe in AGGREGATED} == {
        "15s": 15,
        "30s": 30,
        "45s": 45,
        "1min": 60,
        "2min": 120,
        "5min": 300,
        "15min": 900,
        "30min": 1800,
        "1h": 3600,
    }


def test_every_timeframe_divides_a_day_and_they_rise():
    assert [86_400 % timeframe.seconds for timeframe in AGGREGATED] == [0] * 9
    assert list(AGGREGATED) == sorted(AGGREGATED)
    assert AGGREGATED[0] > RAW


@pytest.mark.parametrize("timeframe", AGGREGATED, ids=str)
def test_a_timeframe_is_found_by_its_own_name(timeframe):
    assert timeframes.parse(str(timeframe)) is timeframe
    assert timeframes.parse(f" {timeframe} ") is timeframe


@pytest.mark.parametrize("name", ["", "1s", "60s", "15S", "1 min", "15s,30s"])
def test_a_name_that_is_not_offered_is_refused_with_the_offer(name):
    with pytest.raises(TimeframeError, match=r"is not offered; choose from 15s, 30s, 45s, 1min, .*1h"):
        timeframes.parse(name)


def test_a_list_is_read_shortest_first_and_each_once():
    names = [str(timeframe) for timeframe in timeframes.parse_list("1min, 15s,30s,15s,")]
    assert names == ["15s", "30s", "1min"]


@pytest.mark.parametrize("names", ["", " , ", ","])
def test_an_empty_list_is_refused(names):
    with pytest.raises(TimeframeError, match="no timeframe in"):
        timeframes.parse_list(names)


def test_a_list_with_one_unknown_name_is_refused():
    with pytest.raises(TimeframeError, match="'7min' is not offered"):
        timeframes.parse_list("15s,7min")
