"""The JSON of a manifest entry is stored: its text is pinned here."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from mohlcv_dagster.errors import ManifestEntryError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.company import Company
from mohlcv_dagster.model.listings import ListedDays
from mohlcv_dagster.model.manifest_entry import ManifestEntry, RecordedResult, path_of

FULL = ManifestEntry(
    file="aggregated/15s/SPY_2024_01_15s.csv",
    sha256="ab" * 32,
    rows=2,
    size=150,
    software="mohlcv-dagster 0.1.0",
    first_bar=datetime(2024, 1, 2, 9, tzinfo=UTC),
    last_bar=datetime(2024, 1, 31, 23, 59, 45, tzinfo=UTC),
    vendor="Massive.com",
    adjusted=False,
    fetched_at=datetime(2026, 3, 5, 12, 0, 0, 250_000, tzinfo=UTC),
    complete_through=datetime(2024, 2, 1, tzinfo=UTC),
    state="settled",
    request_ids=("first", "second"),
    raw_sha256="cd" * 32,
    checks=(
        RecordedResult("exact_form", passed=False, severity="warn", message='Byte 7 is "x".'),
        RecordedResult("readable", passed=True, severity="error", message="Fine — 2 bars."),
    ),
)
FULL_TEXT = """{
 "adjusted": false,
 "checks": [
  {
   "message": "Byte 7 is \\"x\\".",
   "name": "exact_form",
   "passed": false,
   "severity": "warn"
  },
  {
   "message": "Fine — 2 bars.",
   "name": "readable",
   "passed": true,
   "severity": "error"
  }
 ],
 "complete_through": "2024-02-01T00:00:00Z",
 "fetched_at": "2026-03-05T12:00:00.250000Z",
 "file": "aggregated/15s/SPY_2024_01_15s.csv",
 "first_bar": "2024-01-02T09:00:00Z",
 "last_bar": "2024-01-31T23:59:45Z",
 "raw_sha256": "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
 "request_ids": [
  "first",
  "second"
 ],
 "rows": 2,
 "schema": 1,
 "sha256": "abababababababababababababababababababababababababababababababab",
 "size": 150,
 "software": "mohlcv-dagster 0.1.0",
 "state": "settled",
 "vendor": "Massive.com"
}
"""
BARE = ManifestEntry(file="raw_1s/A/A_2024_01.csv", sha256="00" * 32, rows=0, size=36, software="x 1")
BARE_TEXT = """{
 "adjusted": null,
 "checks": [],
 "complete_through": null,
 "fetched_at": null,
 "file": "raw_1s/A/A_2024_01.csv",
 "first_bar": null,
 "last_bar": null,
 "raw_sha256": null,
 "request_ids": [],
 "rows": 0,
 "schema": 1,
 "sha256": "0000000000000000000000000000000000000000000000000000000000000000",
 "size": 36,
 "software": "x 1",
 "state": null,
 "vendor": null
}
"""
CHECKSUMS = {
    FULL_TEXT: "fba65a1e2436a55de2ad272b036d82e73644e6acba12c05f1b28ede520c4a96f",
    BARE_TEXT: "71ded6e0745ffa7bbf3f3e5572e426151291b1b89536bf28c84bb7609d9cbac8",
}
"""By `sha256sum` of the texts with the line `"checksum": "",` before the one of `complete_through`."""


def with_checksum(text):
    """What is written now; the text is that of versions which knew no checksum."""
    return text.replace(' "complete_through', f' "checksum": "{CHECKSUMS[text]}",\n "complete_through')


@pytest.mark.parametrize(("entry", "text"), [(FULL, FULL_TEXT), (BARE, BARE_TEXT)], ids=["every field", "no more"])
def test_an_entry_is_written_as_exactly_this_json_and_read_back(entry, text):
    assert entry.encode().decode() == with_checksum(text)
    assert ManifestEntry.decode(with_checksum(text).encode()) == entry


@pytest.mark.parametrize(("entry", "text"), [(FULL, FULL_TEXT), (BARE, BARE_TEXT)], ids=["every field", "no more"])
def test_an_entry_of_an_earlier_version_without_a_checksum_is_read(entry, text):
    assert ManifestEntry.decode(text.encode()) == entry


def test_the_days_of_a_listing_are_in_an_entry_only_where_they_are_known():
    listed = replace(BARE, listed=ListedDays(date(2024, 1, 10), None))

    assert b'"listed_from": "2024-01-10"' in listed.encode()
    assert b"listed_until" not in listed.encode()
    assert ManifestEntry.decode(listed.encode()) == listed


def test_the_company_is_a_field_of_its_own_where_it_is_known_and_read_back():
    known = Company(date(2024, 1, 31), "Newcorp Inc.", "BBG000000001", "0000000001", "it was OLDN then")
    entry = replace(BARE, company=known)
    text = entry.encode().decode()

    assert json.loads(text)["company"] == {
        "as_of": "2024-01-31",
        "cik": "0000000001",
        "conflict": "it was OLDN then",
        "figi": "BBG000000001",
        "name": "Newcorp Inc.",
    }
    assert ManifestEntry.decode(text.encode()) == entry


def test_each_flipped_bit_of_an_entry_is_found():
    content = FULL.encode()
    for bit in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ManifestEntryError):
            ManifestEntry.decode(bytes(flipped))


def test_a_moment_of_another_zone_is_written_in_utc():
    eastern = replace(BARE, fetched_at=datetime(2024, 2, 1, 11, tzinfo=timezone(timedelta(hours=-5))))

    assert '"fetched_at": "2024-02-01T16:00:00Z"' in eastern.encode().decode()
    assert ManifestEntry.decode(eastern.encode()) == eastern


def test_the_path_of_an_entry_is_that_of_its_file():
    assert str(path_of(BarFile.parse("raw_1s/A/A_2024_01.csv"))) == "manifest/raw_1s/A/A_2024_01.csv.json"


def test_the_latest_result_of_a_rule_replaces_the_former_one_and_their_order_is_by_name():
    error = RecordedResult("readable", passed=False, severity="error", message="Cut.")
    warning = RecordedResult("a_check", passed=False, severity="warn", message="Look.")

    entry = FULL.with_results([error, warning])

    assert [check.name for check in entry.checks] == ["a_check", "exact_form", "readable"]
    assert entry.failed_errors == (error,)


def test_the_former_result_of_a_rule_that_was_not_checked_now_is_dropped():
    falls = RecordedResult("rising_time", passed=False, severity="error", message="Falls.")
    absent = RecordedResult("readable", passed=False, severity="error", message="Absent.")

    entry = FULL.with_results([falls]).with_results([absent], ["rising_time", "exact_form", "settled"])

    assert entry.checks == (absent,)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text[:-40], "not a manifest entry"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "form 2"),
        (lambda text: text.replace('"rows": 2', '"rows": "two"'), "rows is 'two'"),
        (lambda text: text.replace("2024-01-02T09:00:00Z", "yesterday"), "yesterday"),
        (lambda text: text.replace('"sha256"', '"md5"'), "no checksum, and the unknown field 'md5'"),
        (lambda text: text.replace('"schema": 1', '"schema": true'), "form True"),
        (lambda text: text.replace('"rows": 2', '"rows": true'), "rows is True"),
        (lambda text: text.replace('"rows": 2', '"rows": -2'), "a count below zero"),
        (lambda text: text.replace('"rows": 2', '"rows": 2, "new": NaN'), "NaN where a number belongs"),
        (lambda text: text.replace("ab" * 32, "ab" * 31), "a digest"),
        (lambda text: text.replace("cd" * 32, "CD" * 32), "a digest"),
        (lambda text: text.replace('"aggregated/15s/SPY_2024_01_15s.csv"', "15"), "file is 15"),
        (lambda text: text.replace("2024-01-02T09:00:00Z", "2024-01-02T09:00:00"), "the moment '2024-01-02T09:00:00'"),
        (lambda text: text.replace("2024-01-02T09:00:00Z", "2024-01-02"), "the moment '2024-01-02'"),
        (lambda text: text.replace("2024-01-02T09:00:00Z", "0001-01-01T00:00:00+01:00"), "OverflowError"),
        (lambda text: text.replace('"warn"', '"dreadful"'), "severity 'dreadful'"),
        (lambda text: text.replace('"passed": true', '"passed": 1'), "passed is 1"),
        (lambda text: text.replace('"readable"', "7"), "name is 7"),
        (lambda text: text.replace('"first",', "1,"), "a request id"),
        (lambda text: text.replace('[\n  "first",\n  "second"\n ]', '"first"'), "request_ids is 'first'"),
        (lambda text: text.replace('"Massive.com"', '"\\ud800"'), "surrogate"),
        (lambda text: "[" * 100_000, "RecursionError"),
        (lambda text: "[]", "not a manifest entry"),
        (lambda text: "\xff", "not a manifest entry"),
    ],
)
def test_what_is_not_a_manifest_entry_is_refused_with_what_is_wrong(spoil, message):
    spoilt = spoil(FULL_TEXT)

    assert spoilt != FULL_TEXT
    with pytest.raises(ManifestEntryError, match=message):
        ManifestEntry.decode(spoilt.encode("latin-1", errors="replace"))
