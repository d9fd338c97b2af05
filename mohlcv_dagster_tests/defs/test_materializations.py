"""What is recorded with the materialization of a month."""

import hashlib
from datetime import UTC, datetime

from mohlcv_dagster.defs import records
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster_tests.checks.clean_files import WHOLE
from mohlcv_dagster_tests.defs.location import location, materializations_of, run

JANUARY = "2024-01|SPY"


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
    assert facts["fetched_at"] == datetime(2026, 3, 5, 12, 0, tzinfo=UTC).timestamp()
    assert facts["request_ids"] == ["first", "second"]


def test_an_aggregate_records_where_its_raw_bars_came_from_and_which_they_were(tmp_path, instance):
    result = run(location(tmp_path, {("SPY", "2024-01"): WHOLE}), instance, JANUARY, "raw_1s", "aggregated/15s")

    [made] = materializations_of(result, "aggregated/15s")
    facts = {name: value.value for name, value in made.metadata.items()}
    assert facts["vendor"] == "stand-in at http://127.0.0.1:1"
    assert facts["adjusted"] is False
    assert facts["fetched_at"] == datetime(2026, 3, 5, 12, 0, tzinfo=UTC).timestamp()
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
