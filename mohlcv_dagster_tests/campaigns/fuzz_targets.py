"""What `fuzz` gives mutated bytes to: readers of what comes from outside, each with what must hold of its answer.

A target lets an input pass or raises. What the project accepts, a reader of `strict_readers` must accept too, with the
same values; what it refuses, it refuses with an error of its own tree.
"""

import io
import math
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import pyarrow as pa

from mohlcv_dagster.bars import bar_table, csv_codec, csv_stream
from mohlcv_dagster.errors import (
    CalendarError,
    CsvFormatError,
    FileError,
    IncompletePageError,
    ManifestEntryError,
    SettingsError,
    SymbolError,
    VendorError,
)
from mohlcv_dagster.model import calendar_file
from mohlcv_dagster.model.bar_files import COLUMNS, PRICES, BarFile, check_symbol
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.project import read_env_file
from mohlcv_dagster.providers.massive import decoder, reference, transport
from mohlcv_dagster.providers.massive.paging import PageRequest, Timespan, Window
from mohlcv_dagster.providers.massive.provider import provider_name
from mohlcv_dagster.settings import SETTINGS, Settings, check_base_url
from mohlcv_dagster_tests.campaigns import strict_readers as strict

NOW = datetime(2026, 1, 1, tzinfo=UTC)
T = 1704205800000
REQUEST = PageRequest("SPY", Timespan("second", 1000), Window(T, T + 9_999), adjusted=False)
FULL_ROW = b'{"v":15234,"vw":475.3,"o":475.32,"c":475.4,"h":475.45,"l":475.28,"t":1704205800000,"n":87}'
ODD_ROW = b'{"v":1.300741e+06,"o":475,"c":0.5,"h":475.45,"l":-0.0,"t":1704205801000}'
OPENING = b'{"ticker":"SPY","queryCount":1,"resultsCount":%d,"adjusted":false,"results":[%s],"status":"OK"%s}'
PAGES = (
    OPENING % (1, FULL_ROW, b',"request_id":"a","count":1,"next_url":"https://api.massive.com/v2/aggs?cursor=bGltaXQ"'),
    OPENING % (2, FULL_ROW + b"," + FULL_ROW.replace(b"800000", b"801000"), b""),
    OPENING % (2, FULL_ROW + b"," + ODD_ROW, b',"x":{"y":[null,true,"\\u0041\\n"]}'),
    b'{"ticker":"SPY","queryCount":0,"resultsCount":0,"adjusted":false,"status":"DELAYED","results":null}',
)
HEADER = b"ts_event,open,high,low,close,volume\n"
ODD_LINES = (
    b'\xef\xbb\xbfvolume,"ts_event",x,low,close,open,high',
    b'1,2024-01-02T09:30:00Z,"a,b",nan,inf,-1,.5',
    b"2,2024-01-02 09:30:00+05:30,,,,1.,+2e3",
)
CSVS = (
    HEADER + b"2024-01-02 09:30:00+00:00,475.32,475.45,475.28,475.4,15234\n",
    HEADER + b"2024-01-02 09:30:00+00:00,1e+16,1e-05,0.1,1.0,0.25\n2024-01-02 09:30:01+00:00,1.0,1.0,1.0,1.0,2.0\n",
    b"\r\n".join(ODD_LINES),
)
ENTRY = (
    b'{"adjusted":false,"checks":[{"message":"Fine.","name":"readable","passed":true,"severity":"error"}],'
    b'"complete_through":"2024-02-01T00:00:00Z","fetched_at":"2026-03-05T12:00:00.250000+05:00",'
    b'"file":"raw_1s/A/A_2024_01.csv","first_bar":null,"last_bar":null,"raw_sha256":null,"request_ids":["a"],'
    b'"rows":0,"schema":1,"sha256":"' + b"0a" * 32 + b'","size":36,"software":"x 1","state":null,"vendor":"V"}'
)
CALENDAR = b"# own days\n2025-01-09  closed\n2024-12-24  09:30-13:00 # early\n"
ENV = b"# a comment\nMASSIVE_API_KEY=abc\nexport A='b c'\nB=\"${A}\\n\"\nC=${A:-x} # comment\n"
VALUES = b"key\nhttps://api.massive.com\ndata\n15s,1min\n2003-09\ntrue\n5\n8\ncal.txt\nhttps://h/x\ncmd\nno\nhttp://u:3000\n1"
REFERENCES = (
    b'{"status":"OK","request_id":"r","results":{"ticker":"SPY","name":"N","list_date":"1993-01-29"}}',
    b'{"status":"OK","results":[{"ticker":"SPY","name":"N","delisted_utc":"2020-01-02T00:00:00Z"}],"next_url":null}',
    b'{"results":{"events":[{"type":"ticker_change","date":"2020-01-02","ticker_change":{"ticker":"OLD"}}]}}',
    b'{"results":[{"ticker":"SPY","execution_date":"2024-06-10","split_from":1,"split_to":10.5}]}',
)


@dataclass(frozen=True)
class Target:
    """A reader under test: `check` raises where something does not hold; `seeds` are good inputs."""

    check: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    longest: int


def same(ours: object, theirs: object) -> None:
    """Equal, NaN to NaN and the sign of zero included."""
    assert _bits(ours) == _bits(theirs), f"read as {ours!r}, strictly {theirs!r}"


def _bits(value: Any) -> Any:
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack("<d", value)
    return [_bits(each) for each in value] if isinstance(value, (list, tuple)) else value


def page(body: bytes) -> None:
    try:
        fast = decoder._read_fast(body)
    except (pa.ArrowException, ValueError):
        fast = None
    if fast is not None:
        columns, envelope = decoder._read_strict(body)
        assert fast[1] == envelope
        same([fast[0][key].to_pylist() for key in columns], [column.to_pylist() for column in columns.values()])
    try:
        found = decoder.decode_page(body, REQUEST)
    except IncompletePageError:
        return
    window = REQUEST.window
    rows = strict.page(body, "SPY", window.start, window.last)
    names = (*PRICES, "volume", "trades", "vwap")
    columns_of = [found.starts.tolist(), *(found.numbers[name].tolist() for name in names)]
    same([list(row) for row in zip(*columns_of, strict=True)], [list(row) for row in rows])


def csv(content: bytes) -> None:
    try:
        bars = csv_codec.decode(content)
    except CsvFormatError:
        for verify in (False, True):
            assert csv_stream.read(io.BytesIO(content), verify=verify) is None, "only the stream reader accepts it"
        return
    ours = _cells(bars)
    for verify in (False, True):
        streamed = csv_stream.read(io.BytesIO(content), verify=verify)
        assert streamed is None or not verify or csv_codec.encode(bars) == content
        if streamed is not None:
            same(_cells(streamed.bars), ours)
    written = [[None if each != each else each for each in row] for row in ours]  # noqa: PLR0124 - NaN has an empty field
    same(_cells(csv_codec.decode(csv_codec.encode(bars))), written)
    same(ours, [list(row) for row in strict.csv_bars(content)])


def _cells(bars: Any) -> list[list[Any]]:
    starts = bar_table.one_chunk(bars["ts_event"]).cast("int64").to_pylist()
    return [list(row) for row in zip(starts, *(bars[name].to_pylist() for name in COLUMNS[1:]), strict=True)]


def manifest(content: bytes) -> None:
    try:
        entry = ManifestEntry.decode(content)
    except ManifestEntryError:
        return
    facts = strict.manifest_entry(content)
    assert ManifestEntry.decode(entry.encode()) == entry
    for name, value in facts.items():
        own = getattr(entry, name)
        if name in strict.MOMENTS:
            own = None if own is None else Decimal((own - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400) + _day(own)
        elif name == "checks":
            own = [vars(each) for each in own]
        elif name == "request_ids":
            own = list(own or ())
        same(own, value)


def _day(moment: datetime) -> Decimal:
    rest = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return Decimal(rest.seconds) + Decimal(rest.microseconds) / 1_000_000


def calendar(content: bytes) -> None:
    try:
        text = content.decode("utf-8")
        days = calendar_file.parse(text).days
    except (UnicodeDecodeError, CalendarError):
        return
    assert {day: hours and (hours.opens, hours.closes) for day, hours in days.items()} == strict.calendar(text)


ENV_FOLDER = Path(gettempdir())


def env(content: bytes) -> None:
    (ENV_FOLDER / ".env").write_bytes(content)
    try:
        values = read_env_file(ENV_FOLDER)
    except SettingsError:
        return
    expected = strict.env_file(content.decode("utf-8-sig", "replace"))
    assert expected is None or values == expected, f"{values} for {expected}"
    for name, value in values.items():  # what no environment takes would end a command in a traceback
        assert name, "a variable without a name"
        assert not {"\0", "="} & set(name)
        assert "\0" not in value


def symbol(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    with suppress(SymbolError):
        assert check_symbol(text) == strict.symbol(text)
    try:
        file = BarFile.parse(text)
    except FileError:
        return
    assert (file.symbol, str(file.month), file.timeframe.name) == strict.path(text)


def settings(content: bytes) -> None:
    values = content.decode("utf-8", "surrogateescape").split("\n")
    environment = {each.variable: value for each, value in zip(SETTINGS, values, strict=False)}
    try:
        found = Settings.from_environment(environment)
    except SettingsError:
        return
    given = {name: environment[name] for name in environment if environment[name].strip()}
    strict.address(given.get("MASSIVE_BASE_URL", "http://h"))
    if "MASSIVE_CONCURRENCY" in given:
        assert found.concurrency == strict.whole_number(given["MASSIVE_CONCURRENCY"], 1, 64)
    if "MASSIVE_REQUESTS_PER_MINUTE" in given:
        assert found.requests_per_minute == strict.whole_number(given["MASSIVE_REQUESTS_PER_MINUTE"], 1)
    if "MOHLCV_START" in given:
        assert str(found.start) == strict.month(given["MOHLCV_START"].strip())
    names = [part.strip() for part in given.get("MOHLCV_TIMEFRAMES", "15s").split(",") if part.strip()]
    assert {each.name for each in found.timeframes} >= set(names) & strict.TIMEFRAMES
    assert set(names) <= strict.TIMEFRAMES


def address(content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    try:
        found = check_base_url(text)
    except SettingsError:
        return
    assert found == strict.address(text)
    assert isinstance(provider_name(text), str)


def headers(content: bytes) -> None:
    """An answer that is no page: its status, its headers, and its body as it came."""
    status, _, rest = content.partition(b"\n")
    wait, _, body = rest.partition(b"\n")
    number = 300 + int.from_bytes(status[:2], "big") % 300
    given = {"Retry-After": wait.decode("latin-1"), "Content-Encoding": "gzip"}
    found = transport.error_for(number, given, body, NOW)
    assert isinstance(found, VendorError)
    seconds = transport.retry_after(given["Retry-After"], NOW)
    assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
    try:
        transport.decompressed(body, given)
    except VendorError:
        return


def reference_documents(body: bytes) -> None:
    try:
        document = reference.parse_document(body)
    except IncompletePageError:
        return
    for read in (
        lambda: reference.read_details(document, "SPY"),
        lambda: reference.read_tickers(document, "SPY"),
        lambda: reference.read_events(document),
        lambda: reference.read_splits(document, "SPY"),
    ):
        try:
            read()
        except IncompletePageError:
            continue


TARGETS = {
    "page": Target(page, PAGES, 600),
    "csv": Target(csv, CSVS, 300),
    "manifest": Target(manifest, (ENTRY,), 700),
    "calendar": Target(calendar, (CALENDAR,), 120),
    "env": Target(env, (ENV,), 160),
    "symbol": Target(symbol, (b"BRK.B", b"raw_1s/SPY/SPY_2024_01.csv", b"aggregated/15s/A_2024_01_15s.csv"), 60),
    "settings": Target(settings, (VALUES,), 260),
    "address": Target(address, (b"https://api.massive.com:443/x", b"http://[::1]:8080/"), 80),
    "headers": Target(headers, (b'1\nWed, 21 Oct 2026 07:28:00 GMT\n{"error":"x"}', b"2\n5\n\x1f\x8b\x08\x00"), 200),
    "reference": Target(reference_documents, REFERENCES, 300),
}
