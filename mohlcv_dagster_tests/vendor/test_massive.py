"""A month as it is fetched: the official client talking to a scripted server on loopback."""

import csv
import io
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.csv
import pytest

from mohlcv_dagster.bars import schema
from mohlcv_dagster.bars.listing import Cause
from mohlcv_dagster.bars.months import Month
from mohlcv_dagster.errors import (
    MonthInFutureError,
    NoTradesError,
    SettingsError,
    SymbolError,
    TimeframeError,
)
from mohlcv_dagster.vendor.massive import MassiveVendor
from mohlcv_dagster_tests.real import REAL, needs_real
from mohlcv_dagster_tests.vendor.scripted import (
    BARS,
    END,
    KEY,
    MONTH,
    NOT_FOUND,
    SECONDS,
    START,
    WINDOWS,
    FakeTime,
    Reply,
    faithful,
    page,
    row,
    zipped,
)


def starts(fetched):
    return schema.seconds(fetched.bars).tolist()


def test_a_month_is_every_bar_of_all_its_windows_in_order(vendor):
    fetched = vendor.fetch_month("SPY", MONTH)
    assert starts(fetched) == SECONDS
    assert fetched.bars.schema.equals(schema.bar_schema(whole_volume=True))
    assert fetched.bars["volume"].to_pylist() == [100, 200, 300, 400]
    assert (fetched.requests, fetched.retries) == (WINDOWS, 0)


def test_a_month_of_few_bars_takes_two_requests(server, fake):
    server.answer = faithful(BARS)
    with MassiveVendor(KEY, server.url, clock=fake.clock) as vendor:
        assert starts(vendor.fetch_month("SPY", MONTH)) == SECONDS
    asked = sorted((asked.start, asked.last) for asked in server.asked)
    assert [asked[0][0], asked[0][1] + 1, asked[1][1] + 1] == [START * 1000, asked[1][0], END * 1000]


def test_a_request_carries_the_key_in_a_header_and_every_parameter_that_settles_what_comes_back(vendor, server):
    vendor.fetch_month("BRK.B", MONTH)
    first = min(server.asked, key=lambda asked: asked.start)
    assert first.query == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert (first.symbol, first.timespan, first.start) == ("BRK.B", "second", START * 1000)
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert max(asked.last for asked in server.asked) == END * 1000 - 1


def test_a_month_of_minutes_takes_one_request(server, fake):
    server.answer = faithful([row(START), row(START + 60), row(END - 60)])
    with MassiveVendor(KEY, server.url, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert [(asked.timespan, asked.start, asked.last) for asked in server.asked] == [
        ("minute", START * 1000, END * 1000 - 1)
    ]
    assert starts(fetched) == [START, START + 60, END - 60]


def test_what_a_fetch_took_is_told(vendor, server, fake):
    fetched = vendor.fetch_month("SPY", MONTH)
    assert fetched.fetched_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert fetched.complete_through == datetime(2024, 3, 1, tzinfo=UTC)
    assert (fetched.base_url, fetched.vendor) == (server.url, f"stand-in at {server.url}")
    assert fetched.adjusted is False
    assert fetched.plan_delayed is False
    assert len(fetched.request_ids) == WINDOWS
    assert fetched.request_ids[0] == f"r{START * 1000}"
    assert list(fetched.request_ids) == sorted(fetched.request_ids)
    assert fetched.bytes == sum(len(faithful(BARS)(asked).body) for asked in server.asked)


def test_progress_rises_to_the_whole_month(vendor):
    seen = []
    vendor.fetch_month("SPY", MONTH, on_progress=seen.append)
    assert [progress.windows_done for progress in seen] == list(range(1, WINDOWS + 1))
    assert seen[-1].bars == len(BARS)
    assert seen[-1].requests == seen[-1].windows == WINDOWS


def test_a_delayed_page_is_as_good_and_told(vendor, server):
    server.answer = lambda asked: page(asked, [row(asked.start // 1000)], status="DELAYED")
    assert vendor.fetch_month("SPY", MONTH).plan_delayed


def test_adjusted_bars_are_asked_for_and_proven_when_set(server, fake):
    server.answer = faithful(BARS)
    with MassiveVendor(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        assert vendor.fetch_month("SPY", MONTH).adjusted
    assert {asked.query["adjusted"] for asked in server.asked} == {"true"}


def test_one_month_may_be_asked_for_on_another_basis_than_the_vendor_was_made_for(server, fake):
    server.answer = faithful(BARS)
    with MassiveVendor(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        assert vendor.fetch_month("SPY", MONTH, adjusted=False).adjusted is False
    assert {asked.query["adjusted"] for asked in server.asked} == {"false"}


def test_gzip_is_read_and_its_compressed_size_counted(vendor, server):
    server.answer = lambda asked: zipped(faithful(BARS)(asked))
    fetched = vendor.fetch_month("SPY", MONTH)
    assert starts(fetched) == SECONDS
    assert fetched.bytes == sum(len(zipped(faithful(BARS)(asked)).body) for asked in server.asked)


def test_one_fractional_volume_makes_the_whole_column_fractional(vendor, server):
    server.answer = faithful([row(START, 5), row(END - 1, 9099.618093)])
    assert vendor.fetch_month("SPY", MONTH).bars["volume"].to_pylist() == [5.0, 9099.618093]


def test_the_month_in_progress_ends_at_the_second_that_is_still_open(server):
    noon = datetime(2024, 2, 1, 12, 0, 0, 700_000, tzinfo=UTC)
    server.answer = faithful(BARS)
    with MassiveVendor(KEY, server.url, clock=FakeTime(noon).clock) as vendor:
        fetched = vendor.fetch_month("SPY", MONTH)
    assert fetched.complete_through == datetime(2024, 2, 1, 12, tzinfo=UTC)
    assert [asked.last for asked in server.asked] == [(START + 12 * 3600) * 1000 - 1]


def test_a_next_page_is_asked_for_behind_the_last_bar_on_our_own_host(server, fake):
    rows = [row(START + 60 * n) for n in range(10)]

    def in_pages_of_four(asked):
        mine = [bar for bar in rows if asked.start <= bar["t"] <= asked.last]
        more = {"next_url": "https://127.0.0.1:1/v2/aggs?cursor=x"} if len(mine) > 4 else {}
        return page(asked, mine[:4], **more)

    server.answer = in_pages_of_four
    with MassiveVendor(KEY, server.url, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("SPY", MONTH, timeframe="minute")
    assert starts(fetched) == [START + 60 * n for n in range(10)]
    assert [asked.start for asked in server.asked] == [(START + 60 * n) * 1000 for n in (0, 4, 8)]
    assert {asked.query["adjusted"] for asked in server.asked} == {"false"}
    assert fetched.retries == 0


def test_the_last_page_of_a_chain_may_be_empty(server, fake):
    server.answer = lambda asked: (
        page(asked, [row(START)], next_url="x") if asked.start == START * 1000 else page(asked, [])
    )
    with MassiveVendor(KEY, server.url, clock=fake.clock) as vendor:
        assert starts(vendor.fetch_month("SPY", MONTH, timeframe="minute")) == [START]


def test_a_month_proven_empty_of_a_symbol_nobody_knows_asks_whether_it_is_right(vendor, server):
    server.answer = faithful([])
    server.reference = lambda path, query: Reply(b'{"status":"OK"}') if path.endswith("/tickers") else NOT_FOUND
    with pytest.raises(NoTradesError, match=r"SYP has no trades in 2024-02: .* no symbol SYP.* symbol right") as caught:
        vendor.fetch_month("SYP", MONTH)
    assert caught.value.pages == 2


def test_a_month_proven_empty_comes_without_bars_and_with_what_is_known_of_why(vendor, server):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SYP", MONTH)
    assert fetched.bars.equals(schema.empty())
    assert fetched.empty.cause is Cause.UNKNOWN
    assert "no reference data at the base URL (it answered 404)" in fetched.empty.because
    assert fetched.requests == 2 + len(server.asked_beside) == 2 + 2
    assert fetched.complete_through == datetime(2024, 3, 1, tzinfo=UTC)


def test_a_month_before_all_the_vendor_has_is_explained_without_asking(vendor, server):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SPY", Month(2003, 8))
    assert (fetched.empty.cause, fetched.empty.because) == (
        Cause.EXPLAINED,
        "the vendor has nothing before 2003-09-10",
    )
    assert server.asked_beside == []


def test_a_month_of_unadjusted_bars_asks_for_nothing_but_bars(vendor, server):
    fetched = vendor.fetch_month("SPY", MONTH)
    assert (fetched.empty, fetched.splits) == (None, None)
    assert server.asked_beside == []


def test_nothing_is_asked_when_what_is_asked_cannot_be_meant(vendor, server):
    with pytest.raises(SymbolError):
        vendor.fetch_month("../x", MONTH)
    with pytest.raises(TimeframeError, match="hour"):
        vendor.fetch_month("SPY", MONTH, timeframe="hour")
    with pytest.raises(MonthInFutureError, match=r"2027-01 .* 2026-11"):
        vendor.fetch_month("SPY", Month(2027, 1))
    assert server.asked == []


def test_numbers_below_one_are_refused():
    with pytest.raises(SettingsError, match="MASSIVE_CONCURRENCY is 0"):
        MassiveVendor(KEY, concurrency=0)
    with pytest.raises(SettingsError, match="MASSIVE_REQUESTS_PER_MINUTE is -1"):
        MassiveVendor(KEY, requests_per_minute=-1)
    with pytest.raises(SettingsError, match="fill is 0"):
        MassiveVendor(KEY, fill=0)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://api.massive.com", "massive.com"),
        ("https://api.massive.com/", "massive.com"),
        ("http://api.massive.com", "stand-in at http://api.massive.com"),
        ("https://massive.com.example.org", "stand-in at https://massive.com.example.org"),
        ("http://127.0.0.1:8123/", "stand-in at http://127.0.0.1:8123"),
    ],
)
def test_only_the_vendors_own_address_bears_its_name(url, name):
    assert MassiveVendor(KEY, url).name == name


def test_the_limit_of_requests_a_minute_is_kept_without_being_asked(server, fake):
    server.answer = faithful(BARS)
    moments = []
    server.answer = lambda asked: moments.append(fake.passed) or faithful(BARS)(asked)
    with MassiveVendor(KEY, server.url, requests_per_minute=10, concurrency=1, clock=fake.clock, fill=1) as vendor:
        vendor.fetch_month("SPY", MONTH)
    assert [sum(60 * n <= moment < 60 * n + 60 for moment in moments) for n in range(3)] == [10, 10, WINDOWS - 20]


@needs_real
def test_a_month_of_real_seconds_comes_back_as_it_is(server, fake):
    text = (REAL / "second" / "SPY_2013_10.csv").read_text()
    rows = [
        {
            "t": int(datetime.fromisoformat(line["ts_event"]).timestamp() * 1000),
            **{key: float(line[name]) for key, name in zip("ohlc", schema.PRICES, strict=True)},
            "v": int(line["volume"]),
        }
        for line in csv.DictReader(io.StringIO(text))
    ]
    server.answer = faithful(rows)
    with MassiveVendor(KEY, server.url, clock=fake.clock) as vendor:
        fetched = vendor.fetch_month("SPY", Month(2013, 10))
    expected = pa.csv.read_csv(
        io.BytesIO(text.encode()),
        convert_options=pa.csv.ConvertOptions(column_types=schema.bar_schema(whole_volume=True)),
    )
    assert fetched.bars.combine_chunks().equals(expected.combine_chunks())
