"""A month, or a part of one, as it is fetched: the official client talking to a scripted server on loopback."""

import csv
import io
import subprocess
import sys
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.csv
import pytest

from mohlcv_dagster.bars import bar_table
from mohlcv_dagster.errors import (
    IncompletePageError,
    MonthError,
    MonthInFutureError,
    NoTradesError,
    SettingsError,
    SymbolError,
    TimeframeError,
)
from mohlcv_dagster.model import bar_files
from mohlcv_dagster.model.listings import EmptyMonthCause
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.providers.massive.provider import MassiveProvider
from mohlcv_dagster.providers.massive.retry import RetryPolicy
from mohlcv_dagster_tests.providers.massive.scripted import (
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
from mohlcv_dagster_tests.real import REAL, needs_real

SINCE = datetime(2024, 2, 11, tzinfo=UTC)


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def starts(fetched):
    return bar_table.seconds(fetched.bars).tolist()


def test_a_month_is_every_bar_of_all_its_windows_in_order(vendor):
    fetched = vendor.fetch_month("SPY", MONTH)
    assert starts(fetched) == SECONDS
    assert fetched.bars.schema.equals(bar_table.bar_schema(whole_volume=True))
    assert fetched.bars["volume"].to_pylist() == [100, 200, 300, 400]
    assert (fetched.requests, fetched.retries) == (WINDOWS, 0)


def test_a_month_of_few_bars_takes_two_requests(joining, server):
    assert starts(joining.fetch_month("SPY", MONTH)) == SECONDS
    asked = sorted((asked.start, asked.last) for asked in server.asked)
    assert [asked[0][0], asked[0][1] + 1, asked[1][1] + 1] == [START * 1000, asked[1][0], END * 1000]


def test_a_request_carries_the_key_in_a_header_and_every_parameter_that_settles_what_comes_back(vendor, server):
    vendor.fetch_month("BRK.B", MONTH)
    first = min(server.asked, key=lambda asked: asked.start)
    assert first.query == {"adjusted": "false", "sort": "asc", "limit": "50000"}
    assert (first.symbol, first.timespan, first.start) == ("BRK.B", "second", START * 1000)
    assert first.headers["Authorization"] == f"Bearer {KEY}"
    assert max(asked.last for asked in server.asked) == END * 1000 - 1


def test_a_month_of_minutes_takes_one_request(joining, server):
    server.answer = faithful([row(START), row(START + 60), row(END - 60)])
    fetched = joining.fetch_month("SPY", MONTH, timeframe="minute")
    assert [(asked.timespan, asked.start, asked.last) for asked in server.asked] == [
        ("minute", START * 1000, END * 1000 - 1)
    ]
    assert starts(fetched) == [START, START + 60, END - 60]


def test_what_a_fetch_took_is_told(vendor, server, fake):
    fetched = vendor.fetch_month("SPY", MONTH)
    assert fetched.fetched_at == datetime(2026, 11, 23, tzinfo=UTC)
    assert fetched.complete_through == datetime(2024, 3, 1, tzinfo=UTC)
    assert fetched.vendor == f"stand-in at {server.url}"
    assert fetched.adjusted is False
    assert fetched.plan_delayed is False
    assert len(fetched.request_ids) == WINDOWS
    assert fetched.request_ids[0] == f"r{START * 1000}"
    assert list(fetched.request_ids) == sorted(fetched.request_ids)
    assert fetched.bytes == sum(len(faithful(BARS)(asked).body) for asked in server.asked)


def test_answers_of_too_many_requests_are_counted_apart_from_other_retries(joining, server):
    refusals = [Reply(b"", 429), Reply(b"", 503), Reply(b"", 429)]
    server.answer = lambda asked: refusals.pop() if refusals else page(asked, [row(START)])
    fetched = joining.fetch_month("SPY", MONTH, timeframe="minute")

    assert (fetched.requests, fetched.retries, fetched.rate_limited) == (4, 3, 2)


def test_progress_rises_to_the_whole_month(vendor):
    seen = []
    vendor.fetch_month("SPY", MONTH, on_progress=seen.append)
    assert [progress.windows_done for progress in seen] == list(range(1, WINDOWS + 1))
    assert seen[-1].bars == len(BARS)
    assert seen[-1].requests == seen[-1].windows == WINDOWS


def test_a_delayed_page_is_as_good_and_told(vendor, server):
    server.answer = lambda asked: page(asked, [row(asked.start // 1000)], status="DELAYED")
    assert vendor.fetch_month("SPY", MONTH).plan_delayed


@pytest.mark.parametrize(("this_month", "adjusted"), [(None, True), (False, False)])
def test_adjusted_bars_are_asked_for_and_proven_when_set_unless_one_month_is_asked_for_otherwise(
    server, fake, this_month, adjusted
):
    with MassiveProvider(KEY, server.url, adjusted=True, clock=fake.clock) as vendor:
        assert vendor.fetch_month("SPY", MONTH, adjusted=this_month).adjusted is adjusted
    assert {asked.query["adjusted"] for asked in server.asked} == {str(adjusted).lower()}


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
    with MassiveProvider(KEY, server.url, clock=FakeTime(noon).clock) as vendor:
        fetched = vendor.fetch_month("SPY", MONTH)
    assert fetched.complete_through == datetime(2024, 2, 1, 12, tzinfo=UTC)
    assert [asked.last for asked in server.asked] == [(START + 12 * 3600) * 1000 - 1]


def test_a_next_page_is_asked_for_behind_the_last_bar_on_our_own_host(joining, server):
    rows = [row(START + 60 * n) for n in range(10)]

    def in_pages_of_four(asked):
        mine = [bar for bar in rows if asked.start <= bar["t"] <= asked.last]
        more = {"next_url": "https://127.0.0.1:1/v2/aggs?cursor=x"} if len(mine) > 4 else {}
        return page(asked, mine[:4], **more)

    server.answer = in_pages_of_four
    fetched = joining.fetch_month("SPY", MONTH, timeframe="minute")
    assert starts(fetched) == [START + 60 * n for n in range(10)]
    assert [asked.start for asked in server.asked] == [(START + 60 * n) * 1000 for n in (0, 4, 8)]
    assert {asked.query["adjusted"] for asked in server.asked} == {"false"}
    assert fetched.retries == 0


def test_the_last_page_of_a_chain_may_be_empty(joining, server):
    server.answer = lambda asked: (
        page(asked, [row(START)], next_url="x") if asked.start == START * 1000 else page(asked, [])
    )
    assert starts(joining.fetch_month("SPY", MONTH, timeframe="minute")) == [START]


def test_a_month_proven_empty_of_a_symbol_nobody_knows_asks_whether_it_is_right(vendor, server):
    server.answer = faithful([])
    server.reference = lambda path, query: Reply(b'{"status":"OK"}') if path.endswith("/tickers") else NOT_FOUND
    with pytest.raises(NoTradesError, match=r"SYP has no trades in 2024-02: .* no symbol SYP.* symbol right") as caught:
        vendor.fetch_month("SYP", MONTH)
    assert caught.value.pages == 2


def test_a_month_proven_empty_comes_without_bars_and_with_what_is_known_of_why(vendor, server):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SYP", MONTH)
    assert fetched.bars.equals(bar_table.empty())
    assert fetched.empty.cause is EmptyMonthCause.UNKNOWN
    assert "no reference data at the base URL (it answered 404)" in fetched.empty.reason
    assert fetched.requests == 2 + len(server.asked_beside) == 2 + 2
    assert fetched.complete_through == datetime(2024, 3, 1, tzinfo=UTC)


def test_a_month_before_all_the_vendor_has_is_explained_without_asking(vendor, server):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SPY", Month(2003, 8))
    assert (fetched.empty.cause, fetched.empty.reason) == (
        EmptyMonthCause.EXPLAINED,
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
        MassiveProvider(KEY, concurrency=0)
    with pytest.raises(SettingsError, match="MASSIVE_REQUESTS_PER_MINUTE is -1"):
        MassiveProvider(KEY, requests_per_minute=-1)
    with pytest.raises(SettingsError, match="fill is 0"):
        MassiveProvider(KEY, fill=0)


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
    assert MassiveProvider(KEY, url).name == name


def test_the_limit_of_requests_a_minute_is_kept_without_being_asked(server, fake):
    server.answer = faithful(BARS)
    moments = []
    server.answer = lambda asked: moments.append(fake.passed) or faithful(BARS)(asked)
    with MassiveProvider(KEY, server.url, requests_per_minute=10, concurrency=1, clock=fake.clock, fill=1) as vendor:
        vendor.fetch_month("SPY", MONTH)
    assert [sum(60 * n <= moment < 60 * n + 60 for moment in moments) for n in range(3)] == [10, 10, WINDOWS - 20]


@needs_real
def test_a_month_of_real_seconds_comes_back_as_it_is(joining, server):
    text = (REAL / "second" / "SPY_2013_10.csv").read_text()
    rows = [
        {
            "t": int(datetime.fromisoformat(line["ts_event"]).timestamp() * 1000),
            **{key: float(line[name]) for key, name in zip("ohlc", bar_files.PRICES, strict=True)},
            "v": int(line["volume"]),
        }
        for line in csv.DictReader(io.StringIO(text))
    ]
    server.answer = faithful(rows)
    fetched = joining.fetch_month("SPY", Month(2013, 10))
    expected = pa.csv.read_csv(
        io.BytesIO(text.encode()),
        convert_options=pa.csv.ConvertOptions(column_types=bar_table.bar_schema(whole_volume=True)),
    )
    assert fetched.bars.combine_chunks().equals(expected.combine_chunks())


def test_a_part_of_a_month_is_every_bar_from_its_start_on_and_nothing_before_is_asked_for(vendor, server):
    fetched = vendor.fetch_month("SPY", MONTH, since=datetime(2024, 2, 1, 0, 0, 1, tzinfo=UTC))

    assert starts(fetched) == SECONDS[1:]
    assert min(asked.start for asked in server.asked) == (START + 1) * 1000
    assert max(asked.last for asked in server.asked) == END * 1000 - 1
    assert fetched.complete_through == MONTH.end


def test_of_a_part_without_bars_nobody_is_asked_why_as_of_a_whole_month(server, vendor):
    server.answer = faithful([])
    fetched = vendor.fetch_month("SPY", MONTH, since=SINCE)

    assert fetched.bars.equals(bar_table.empty())
    assert fetched.requests == len(server.asked) > 0
    assert fetched.empty is None
    assert vendor.fetch_month("SPY", MONTH).empty is not None


def test_each_page_of_a_part_is_proven_as_one_of_a_month_is(server, fake):
    server.answer = lambda asked: page(asked, [row(START)])
    with (
        MassiveProvider(KEY, server.url, clock=fake.clock, retry=RetryPolicy(tries=1)) as vendor,
        pytest.raises(IncompletePageError, match="expected a time inside"),
    ):
        vendor.fetch_month("SPY", MONTH, since=SINCE)


@pytest.mark.parametrize("since", ["2024-01-31 23:59:59", "2024-03-01 00:00:00"])
def test_a_start_outside_the_month_is_refused_before_any_request(vendor, server, since):
    with pytest.raises(MonthError, match="bars of 2024-02 can be requested from 2024-02-01 00:00:00Z to 2024-03-01"):
        vendor.fetch_month("SPY", MONTH, since=utc(since))
    assert server.asked == []


def test_bars_in_the_night_are_found_on_a_second_page(server, vendor):
    night = [row(1707523200 + second) for second in range(120_000)]  # from Saturday 2024-02-10 00:00 UTC

    def by_pages(asked):
        due = [bar for bar in night if asked.start <= bar["t"] <= asked.last]
        return page(asked, due[:50_000], **({"next_url": "https://api.massive.com/next"} if len(due) > 50_000 else {}))

    server.answer = by_pages
    fetched = vendor.fetch_month("SPY", MONTH, since=datetime(2024, 2, 10, tzinfo=UTC))
    assert fetched.bars.num_rows == 120_000
    assert starts(fetched)[0] == 1707523200


def test_importing_the_vendor_loads_neither_the_client_nor_pandas_nor_dagster():
    code = (
        "import sys, mohlcv_dagster.providers.massive.provider; "
        "print(sorted({'massive', 'urllib3', 'pandas', 'dagster', 'exchange_calendars'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # our own code
    assert loaded.stdout.strip() == "[]"
