import json
from datetime import date
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import SyntheticMarket
from mohlcv_dagster.sandbox.pages import HIGHEST_LIMIT, MarketPages, next_url, parse_query

DAY = 86_400_000


def parsed(begin, end, multiplier="1", timespan="second", **parameters):
    path = {"ticker": "SPY", "multiplier": multiplier, "timespan": timespan, "from": begin, "to": end}
    return parse_query(path, parameters)


def test_a_day_is_an_eastern_day():
    winter = parsed("2024-01-02", "2024-01-02")
    assert (winter.first, winter.last) == (1704171600000, 1704171600000 + DAY - 1)  # 05:00Z to 05:00Z


def test_the_day_the_clocks_go_forward_has_23_hours():
    day = parsed("2024-03-10", "2024-03-10")
    assert day.last - day.first + 1 == 23 * 3_600_000


def test_from_is_snapped_down_to_a_whole_bar_and_to_stays_inclusive():
    asked = parsed("1704205859999", "1704205860000", timespan="minute")
    assert (asked.first, asked.last) == (1704205800000, 1704205860000)


def test_what_is_not_said_is_as_the_vendor_has_it():
    asked = parsed("0", "1")
    assert (asked.adjusted, asked.limit, asked.descending) == (True, 5000, False)


def test_a_cursor_carries_limit_and_order_and_nothing_else():
    asked = parsed("0", "1", limit="10", sort="asc", adjusted="false")
    assert asked.cursor == "bGltaXQ9MTAmc29ydD1hc2M"  # as recorded: limit=10&sort=asc
    after = parsed("0", "1", cursor=asked.cursor)
    assert (after.limit, after.descending, after.adjusted) == (10, False, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
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
def test_an_invalid_request_is_refused_with_its_value(arguments, message):
    with pytest.raises(InputError, match=message):
        parsed(**arguments)


PAGES = MarketPages(SyntheticMarket())
NOW = 1_800_000_000_000
BEGIN, END = 1706691600000, 1706835600000  # 2024-01-31 04:00 to 2024-02-01 20:00 Eastern
HIGHEST = str(HIGHEST_LIMIT)


def asked(begin, end, bar=("1", "second"), symbol="BACpB", **parameters):
    path = {"ticker": symbol, "multiplier": bar[0], "timespan": bar[1], "from": str(begin), "to": str(end)}
    return parse_query(path, {"limit": HIGHEST, "adjusted": "false", **parameters})


def rows(page):
    return json.loads(b"[" + b"".join(page.pieces)[:-1] + b"]")


def chain(begin, end, **choices):
    """The rows of all pages, each found by the `next_url` of the one before."""
    found, sizes = [], []
    while True:
        ask = asked(begin, end, **choices)
        page = PAGES.page(ask, NOW)
        found += rows(page)
        sizes.append(page.count)
        if not page.more:
            return found, sizes
        following = urlsplit(next_url(ask, str(end), page))
        begin, end = following.path.split("/")[-2:]
        cursor = parse_qs(following.query)["cursor"][0]
        choices = choices | {"cursor": cursor}


@pytest.fixture(scope="module")
def whole():
    return rows(PAGES.page(asked(BEGIN, END), NOW))


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(BEGIN + 1, END), max_size=12, unique=True))
def test_pages_joined_over_any_cut_into_windows_are_the_whole(whole, cuts):
    seconds = sorted({cut // 1000 * 1000 for cut in cuts} - {BEGIN})  # from is snapped down to a whole second
    edges = [BEGIN, *seconds, END + 1]
    joined = [row for begin, end in pairwise(edges) for row in rows(PAGES.page(asked(begin, end - 1), NOW))]
    assert joined == whole


@settings(max_examples=25)
@given(limit=st.integers(100, 6000), sort=st.sampled_from(["asc", "desc"]))
def test_a_chain_of_pages_is_the_whole_in_order_whatever_the_limit(whole, limit, sort):
    found, sizes = chain(BEGIN, END, limit=str(limit), sort=sort)
    assert found == (whole if sort == "asc" else whole[::-1])
    assert all(size == limit for size in sizes[:-1])
    assert 0 < sizes[-1] <= limit


@settings(max_examples=15)
@given(limit=st.integers(10, 400), sort=st.sampled_from(["asc", "desc"]))
def test_no_page_of_resampled_bars_holds_more_base_bars_than_its_limit_unless_one_bar_does(limit, sort):
    bar = ("5", "minute")
    resampled = rows(PAGES.page(asked(BEGIN, END, bar), NOW))
    found, sizes = chain(BEGIN, END, bar=bar, limit=str(limit), sort=sort)
    assert found == (resampled if sort == "asc" else resampled[::-1])
    assert all(0 < size <= limit for size in sizes)


def test_the_rows_are_those_of_the_market(whole):
    bars = [bar for day in ("2024-01-31", "2024-02-01") for bar in _table(day)]
    assert [(row["t"], row["o"], row["h"], row["l"], row["c"], row["v"]) for row in whole] == bars


def _table(day):
    table = SyntheticMarket().bars("BACpB", date.fromisoformat(day), RAW, adjusted=False).to_pandas()
    columns = [table[name] for name in ("open", "high", "low", "close", "volume")]
    return zip([int(t.timestamp() * 1000) for t in table["ts_event"]], *columns, strict=True)


def test_a_page_of_an_unknown_symbol_is_empty():
    page = PAGES.page(asked(BEGIN, END, symbol="ZZ"), NOW)
    assert (page.count, page.base_count, page.final, page.more) == (0, 0, None, False)


@pytest.mark.parametrize(("timespan", "width"), [("minute", 60_000), ("hour", 3_600_000)])
def test_longer_bars_count_the_trades_of_their_seconds_and_average_their_prices(timespan, width):
    pages = MarketPages(SyntheticMarket())

    def rows(of):
        found = pages.page(parsed("1704207600000", "1704214799999", timespan=of, limit="50000"), 2 * 10**12)
        return json.loads(b"[" + b"".join(found.pieces)[:-1] + b"]")

    seconds = rows("second")
    for longer in rows(timespan):
        inside = [row for row in seconds if longer["t"] <= row["t"] < longer["t"] + width]
        average = sum(row["vw"] * row["v"] for row in inside) / sum(row["v"] for row in inside)
        assert longer["n"] == sum(row["n"] for row in inside)
        assert longer["vw"] == pytest.approx(average, abs=1e-4)
