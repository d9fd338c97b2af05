"""What is recorded of a file: its labels and types stay as they are, since events are kept for ever."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest

from mohlcv_dagster.defs import records, refresh
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.listings import EmptyMonthCause, EmptyMonthReason, KnownSplits, Split
from mohlcv_dagster.model.months import Month
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import HandedVendor, location, materializations_of, run

JANUARY = "2024-01|SPY"
FETCHED_AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
FILE_LABELS = {
    "dagster/uri": dg.TextMetadataValue,
    "dagster/partition_row_count": dg.IntMetadataValue,
    "first_bar": dg.TextMetadataValue,
    "last_bar": dg.TextMetadataValue,
    "size_bytes": dg.IntMetadataValue,
    "volume_type": dg.TextMetadataValue,
    "sha256": dg.TextMetadataValue,
    "file_stamp": dg.TextMetadataValue,
}
ORIGIN_LABELS = {
    "state": dg.TextMetadataValue,
    "vendor": dg.TextMetadataValue,
    "adjusted": dg.BoolMetadataValue,
    "delayed": dg.BoolMetadataValue,
    "fetched_at": dg.TimestampMetadataValue,
    "complete_through": dg.TimestampMetadataValue,
}
FETCH_LABELS = {
    "requests": dg.IntMetadataValue,
    "retries": dg.IntMetadataValue,
    "fetch_seconds": dg.FloatMetadataValue,
    "downloaded_bytes": dg.IntMetadataValue,
    "request_ids": dg.JsonMetadataValue,
}
MONTH_LABELS = {
    "price and volume by session": dg.MarkdownMetadataValue,
    "minutes with bars": dg.MarkdownMetadataValue,
    "largest_gap_minutes": dg.IntMetadataValue,
    "bars_outside_hours": dg.IntMetadataValue,
    "sessions_expected": dg.IntMetadataValue,
    "sessions_present": dg.IntMetadataValue,
    "calendar": dg.TextMetadataValue,
    "occupancy": dg.FloatMetadataValue,
    "last_close": dg.FloatMetadataValue,
}
COMPARISON_LABELS = {
    "compared": dg.TextMetadataValue,
    "settled_compared": dg.IntMetadataValue,
    "settled_changed": dg.IntMetadataValue,
    "settled_gained": dg.IntMetadataValue,
    "settled_lost": dg.IntMetadataValue,
    "unsettled_revised": dg.IntMetadataValue,
}


def test_labels_and_types_of_what_is_recorded_stay_as_they_are(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    first = run(definitions, instance, JANUARY, "raw_1s", "aggregated/15s")
    again = run(definitions, instance, JANUARY, "raw_1s")

    def labels(result, asset):
        [made] = materializations_of(result, asset)
        return {name: type(value) for name, value in made.metadata.items()}

    raw = FILE_LABELS | ORIGIN_LABELS | MONTH_LABELS | FETCH_LABELS | {"company_unknown_because": dg.TextMetadataValue}
    assert labels(first, "raw_1s") == raw
    assert list(labels(first, "raw_1s"))[8] == "state"
    assert list(labels(first, "raw_1s"))[-1] == "request_ids"
    assert labels(first, "aggregated/15s") == FILE_LABELS | ORIGIN_LABELS | {"raw_sha256": dg.TextMetadataValue}
    assert labels(again, "raw_1s") == raw | COMPARISON_LABELS


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({}, {}),
        (
            {"splits": KnownSplits((Split(date(2026, 4, 1), 1, 2),))},
            {"splits": [{"executed": "2026-04-01", "from": 1, "to": 2}]},
        ),
        (
            {
                "splits": KnownSplits(
                    (),
                )
            },
            {"splits": []},
        ),
        ({"splits": KnownSplits(None, "it did not answer")}, {"splits_unknown_because": "it did not answer"}),
        (
            {"empty": EmptyMonthReason(EmptyMonthCause.EXPLAINED, "it was listed later")},
            {"empty_because": "it was listed later", "empty_cause": "explained"},
        ),
        ({"request_ids": ()}, {"request_ids": []}),
    ],
)
def test_what_a_fetch_records_is_this(changes, added):
    fetched = HandedVendor({("SPY", "2024-01"): WHOLE}).fetch_month("SPY", "2024-01")
    recorded = refresh.fetch_metadata(Month(2024, 1), replace(fetched, **changes))

    assert {name: value.value for name, value in recorded.items()} == {
        "state": "settled",
        "vendor": "stand-in at http://127.0.0.1:1",
        "adjusted": False,
        "delayed": False,
        "fetched_at": FETCHED_AT.timestamp(),
        "complete_through": datetime(2024, 2, 1, tzinfo=UTC).timestamp(),
        "requests": 25,
        "retries": 1,
        "fetch_seconds": 1.235,
        "downloaded_bytes": 4321,
        "request_ids": ["first", "second"],
    } | added


def test_a_materialization_records_what_was_written_and_how_it_was_fetched(tmp_path, instance):
    definitions = location(tmp_path, {("SPY", "2024-01"): WHOLE})
    result = run(definitions, instance, JANUARY, "raw_1s")

    [made] = materializations_of(result, "raw_1s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert facts["dagster/partition_row_count"] == 6
    assert facts["dagster/uri"] == (tmp_path / "raw_1s/SPY/SPY_2024_01.csv").as_uri()
    assert facts["size_bytes"] == len(WHOLE)
    assert facts["sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert facts["first_bar"] == "2024-01-02 14:30:00+00:00"
    assert facts["last_bar"] == "2024-01-02 14:31:00+00:00"
    assert facts["volume_type"] == "int64"
    assert "dagster/column_schema" not in facts  # it is the asset's own
    assert facts["vendor"] == "stand-in at http://127.0.0.1:1"
    assert facts["adjusted"] is False
    assert facts["requests"] == 25
    assert facts["fetch_seconds"] == 1.235
    assert facts["fetched_at"] == FETCHED_AT.timestamp()
    assert facts["request_ids"] == ["first", "second"]


def test_an_aggregate_records_where_its_raw_bars_came_from_and_which_they_were(tmp_path, instance):
    result = run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s", "aggregated/15s")

    [made] = materializations_of(result, "aggregated/15s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert facts["vendor"] == "stand-in at http://127.0.0.1:1"
    assert facts["adjusted"] is False
    assert facts["fetched_at"] == FETCHED_AT.timestamp()
    assert facts["raw_sha256"] == hashlib.sha256(WHOLE).hexdigest()
    assert facts["dagster/partition_row_count"] == 3


def test_the_record_of_a_file_is_that_of_its_latest_materialization(tmp_path, instance):
    file = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
    assert records.latest(instance, file) is None

    run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s")
    run(
        location(tmp_path, {("SPY", "2024-01"): WHOLE[: WHOLE.index(b"2024-01-02 14:30:07")]}),
        instance,
        JANUARY,
        "raw_1s",
    )
    record = records.latest(instance, file)

    assert record.rows == 2
    assert record.complete_through == datetime(2024, 2, 1, tzinfo=UTC)
