import json
from datetime import date
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mohlcv_dagster.bars.timeframes import RAW
from mohlcv_dagster.sandbox import Synthetic, answers, query
from mohlcv_dagster.sandbox.ledger import Ledger

LEDGER = Ledger(Synthetic())
NOW = 1_800_000_000_000
BEGIN, END = 1706691600000, 1706835600000  # 2024-01-31 04:00 to 2024-02-01 20:00 Eastern
HIGHEST = str(query.HIGHEST_LIMIT)


def asked(begin, end, bar=("1", "second"), symbol="BACpB", **parameters):
    path = {"ticker": symbol, "multiplier": bar[0], "timespan": bar[1], "from": str(begin), "to": str(end)}
    return query.parse(path, {"limit": HIGHEST, "adjusted": "false", **parameters})


def rows(page):
    return json.loads(b"[" + b"".join(page.pieces)[:-1] + b"]")


def chain(begin, end, **choices):
    """The rows of all pages, each found by the `next_url` of the one before."""
    found, sizes = [], []
    while True:
        ask = asked(begin, end, **choices)
        page = LEDGER.page(ask, NOW)
        found += rows(page)
        sizes.append(page.count)
        if not page.more:
            return found, sizes
        following = urlsplit(answers.following(ask, str(end), page))
        begin, end = following.path.split("/")[-2:]
        cursor = parse_qs(following.query)["cursor"][0]
        choices = choices | {"cursor": cursor}


@pytest.fixture(scope="module")
def whole():
    return rows(LEDGER.page(asked(BEGIN, END), NOW))


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(BEGIN + 1, END), max_size=12, unique=True))
def test_pages_joined_over_any_cut_into_windows_are_the_whole(whole, cuts):
    seconds = sorted({cut // 1000 * 1000 for cut in cuts} - {BEGIN})  # from is snapped down to a whole second
    edges = [BEGIN, *seconds, END + 1]
    joined = [row for begin, end in pairwise(edges) for row in rows(LEDGER.page(asked(begin, end - 1), NOW))]
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
def test_no_page_of_folded_bars_holds_more_base_bars_than_its_limit_unless_one_bar_does(limit, sort):
    bar = ("5", "minute")
    folded = rows(LEDGER.page(asked(BEGIN, END, bar), NOW))
    found, sizes = chain(BEGIN, END, bar=bar, limit=str(limit), sort=sort)
    assert found == (folded if sort == "asc" else folded[::-1])
    assert all(0 < size <= limit for size in sizes)


def test_the_rows_are_those_of_the_market(whole):
    bars = [bar for day in ("2024-01-31", "2024-02-01") for bar in _table(day)]
    assert [(row["t"], row["o"], row["h"], row["l"], row["c"], row["v"]) for row in whole] == bars


def _table(day):
    table = Synthetic().bars("BACpB", date.fromisoformat(day), RAW, adjusted=False).to_pandas()
    columns = [table[name] for name in ("open", "high", "low", "close", "volume")]
    return zip([int(t.timestamp() * 1000) for t in table["ts_event"]], *columns, strict=True)


def test_a_page_of_an_unknown_symbol_is_empty():
    page = LEDGER.page(asked(BEGIN, END, symbol="ZZ"), NOW)
    assert (page.count, page.base_count, page.final, page.more) == (0, 0, None, False)
