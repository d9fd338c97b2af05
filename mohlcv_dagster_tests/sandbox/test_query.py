import pytest

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.sandbox import query

DAY = 86_400_000


def parse(begin, end, multiplier="1", timespan="second", **parameters):
    path = {"ticker": "SPY", "multiplier": multiplier, "timespan": timespan, "from": begin, "to": end}
    return query.parse(path, parameters)


def test_a_day_is_an_eastern_day():
    winter = parse("2024-01-02", "2024-01-02")
    assert (winter.first, winter.last) == (1704171600000, 1704171600000 + DAY - 1)  # 05:00Z to 05:00Z


def test_the_day_the_clocks_go_forward_has_23_hours():
    day = parse("2024-03-10", "2024-03-10")
    assert day.last - day.first + 1 == 23 * 3_600_000


def test_from_is_snapped_down_to_a_whole_bar_and_to_stays_inclusive():
    asked = parse("1704205859999", "1704205860000", timespan="minute")
    assert (asked.first, asked.last) == (1704205800000, 1704205860000)


def test_what_is_not_said_is_as_the_vendor_has_it():
    asked = parse("0", "1")
    assert (asked.adjusted, asked.limit, asked.descending) == (True, 5000, False)


def test_a_cursor_carries_limit_and_order_and_nothing_else():
    asked = parse("0", "1", limit="10", sort="asc", adjusted="false")
    assert asked.cursor == "bGltaXQ9MTAmc29ydD1hc2M"  # as recorded: limit=10&sort=asc
    after = parse("0", "1", cursor=asked.cursor)
    assert (after.limit, after.descending, after.adjusted) == (10, False, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"begin": "2", "end": "1"}, "The parameter 'to' cannot be a time that occurs before 'from'"),
        ({"begin": "yesterday", "end": "1"}, "time parameter 'from': 'yesterday'"),
        ({"begin": "0", "end": "2024-02-30"}, "time parameter 'to': '2024-02-30'"),
        ({"begin": "0", "end": "20240230T"}, "time parameter 'to'"),
        ({"begin": "0", "end": "1", "timespan": "day"}, "the sandbox serves second, minute, hour"),
        ({"begin": "0", "end": "1", "multiplier": "0"}, "multiplier '0'"),
        ({"begin": "0", "end": "1", "multiplier": "7"}, "a bar divides an hour"),
        ({"begin": "0", "end": "1", "limit": "50001"}, "from 1 to 50000, was '50001'"),
        ({"begin": "0", "end": "1", "limit": "-5"}, "from 1 to 50000"),
        ({"begin": "0", "end": "1", "sort": "up"}, "'sort' must be asc or desc, was 'up'"),
        ({"begin": "0", "end": "1", "adjusted": "no"}, "'adjusted' must be false or true"),
        ({"begin": "0", "end": "1", "cursor": "%%%"}, "cursor"),
    ],
)
def test_rubbish_is_refused_with_its_value(arguments, said):
    with pytest.raises(InputError, match=said):
        parse(**arguments)
