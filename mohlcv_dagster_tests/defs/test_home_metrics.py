"""The metrics for Prometheus: what they say of a home, what a scrape reads; the dashboard asks for no others."""

import json
import re
import time
from pathlib import Path

import dagster as dg
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.defs.home_metrics import METRICS, FetchSums, HomeCollector
from mohlcv_dagster.model import quality_rows
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.quality_rows import MonthQuality, MonthStatus
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.docs import metrics_page

REPOSITORY = Path(__file__).parents[2]
DASHBOARD = json.loads((REPOSITORY / "deploy/grafana/mohlcv.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load((REPOSITORY / "deploy/prometheus/mohlcv-alerts.yaml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
QUERIES = {
    **{panel["title"]: [each["expr"] for each in panel["targets"]] for panel in DASHBOARD["panels"]},
    **{rule["alert"]: [rule["expr"]] for rule in RULES},
}
FETCHED = {"requests": 12, "retries": 3, "downloaded_bytes": 4_000, "fetch_seconds": 1.5}
MARCH_16 = 1710547200.0
"""2024-03-16T00:00:00Z."""
ROWS = [
    MonthQuality(symbol="SPY", month=Month(2024, 1), state="settled"),
    MonthQuality(
        symbol="SPY", month=Month(2024, 2), state="provisional", errors=1, warnings=1, failing=("a: x", "a: y")
    ),
    MonthQuality(symbol="SPY", month=Month(2024, 3), state="provisional", warnings=1, failing=("a: y",)),
    MonthQuality(symbol="QQQ", month=Month(2024, 1), status=MonthStatus.FAILED, why="refused"),
]


@pytest.fixture
def archive(tmp_path):
    return Archive(str(tmp_path / "data"))


def fetched(instance, partition, **facts):
    made = dg.AssetMaterialization("raw_1s", partition=partition, metadata=facts)
    instance.report_runless_asset_event(made)


def made(instance, archive, rows):
    table = parquet_codec.encode_quality(parquet_codec.quality_table(rows))
    archive.write_path(quality_rows.PATH, table)
    instance.report_runless_asset_event(dg.AssetMaterialization(["quality", "coverage"]))


def scraped(collector):
    """The values of a scrape, by the metric with its labels."""
    registry = CollectorRegistry()
    registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}


def test_runs_are_counted_by_state(instance, archive):
    for status in ("STARTED", "STARTED", "FAILURE"):
        instance.add_run(dg.DagsterRun("any", status=dg.DagsterRunStatus(status)))

    found = scraped(HomeCollector(instance, archive))

    assert found['mohlcv_runs{state="started"}'] == 2
    assert found['mohlcv_runs{state="failure"}'] == 1
    assert found['mohlcv_runs{state="queued"}'] == 0


def test_months_and_failing_rules_are_those_of_the_table(instance, archive):
    made(instance, archive, ROWS)

    found = scraped(HomeCollector(instance, archive, clock=lambda: MARCH_16))

    assert found['mohlcv_months{status="stored"}'] == 3
    assert found['mohlcv_months{status="failed"}'] == 1
    assert found['mohlcv_months{status="missing"}'] == 0
    assert found['mohlcv_stored_months{finality="final"}'] == 1
    assert found['mohlcv_stored_months{finality="provisional"}'] == 2
    assert found['mohlcv_failing_months{rule="a: x",severity="error"}'] == 1
    assert found['mohlcv_failing_months{rule="a: y",severity="warn"}'] == 2
    assert found["mohlcv_oldest_provisional_month_age_seconds"] == 15 * 86400
    assert found["mohlcv_coverage_made_timestamp_seconds"] == pytest.approx(time.time(), abs=60)


def test_without_a_table_nothing_is_said_of_months(instance, archive):
    assert not [name for name in scraped(HomeCollector(instance, archive)) if "months" in name or "coverage" in name]


def test_a_table_that_was_made_anew_is_read_and_one_that_was_not_is_not(instance, archive, monkeypatch):
    collector, reads = HomeCollector(instance, archive), []
    monkeypatch.setattr(
        Archive, "read_path", lambda self, path, _read=Archive.read_path: reads.append(path) or _read(self, path)
    )
    made(instance, archive, ROWS)
    scraped(collector)
    scraped(collector)
    assert len(reads) == 1

    made(instance, archive, ROWS[:1])
    assert scraped(collector)['mohlcv_months{status="failed"}'] == 0


def test_requests_are_added_up_from_fetches_and_not_from_files_that_were_registered(instance, archive):
    fetched(instance, "2024-01|SPY", **FETCHED)
    fetched(instance, "2024-02|SPY", **FETCHED, rate_limited=2)
    fetched(instance, "2024-03|SPY", sha256="0" * 64)

    found = scraped(HomeCollector(instance, archive))

    assert found["mohlcv_fetches_total"] == 2
    assert found["mohlcv_requests_total"] == 24
    assert found["mohlcv_retries_total"] == 6
    assert found["mohlcv_rate_limited_total"] == 2
    assert found["mohlcv_downloaded_bytes_total"] == 8_000
    assert found["mohlcv_fetch_seconds_total"] == 3.0


def test_a_record_counts_once_and_old_ones_are_not_read_again(instance, monkeypatch):
    sums, asked = FetchSums(), []
    for month in range(1, 4):
        fetched(instance, f"2024-{month:02}|SPY", **FETCHED)
    sums.update(instance, time.time())
    sums.update(instance, time.time())
    assert sums.totals["mohlcv_requests_total"] == 36

    sums.update(instance, time.time() + 600)
    fetch = type(instance).fetch_materializations
    monkeypatch.setattr(
        type(instance),
        "fetch_materializations",
        lambda self, *given, **named: asked.append(fetch(self, *given, **named)) or asked[-1],
    )
    fetched(instance, "2024-01|SPY", **FETCHED)
    sums.update(instance, time.time() + 600)

    assert sums.totals["mohlcv_requests_total"] == 48
    assert [len(each.records) for each in asked] == [1]


def test_the_sums_of_more_records_than_a_page_holds_are_whole(instance, monkeypatch):
    monkeypatch.setattr("mohlcv_dagster.defs.home_metrics.MOST_AT_ONCE", 2)
    for month in range(1, 6):
        fetched(instance, f"2024-{month:02}|SPY", **FETCHED)
    sums = FetchSums()
    sums.update(instance, time.time())

    assert sums.totals["mohlcv_fetches_total"] == 5


def test_registering_reads_nothing_and_every_metric_is_described(instance, archive):
    described = {family.name: family for family in HomeCollector(instance, archive).describe()}

    assert {name.removesuffix("_total") for name in METRICS} == set(described)
    assert all(family.documentation for family in described.values())


@pytest.mark.parametrize("title", QUERIES)
def test_each_panel_and_alert_asks_for_metrics_and_labels_that_exist(title):
    for query in QUERIES[title]:
        names = set(re.findall(r"\bmohlcv_\w+", query))
        assert names
        assert names <= set(METRICS), query
        for name, labels in re.findall(r"\b(mohlcv_\w+)\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)\s*(?:=|!)", labels)) <= set(METRICS[name].labels), query


def test_panels_have_their_own_numbers_and_alerts_say_what_to_do():
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]

    assert len(numbers) == len(set(numbers))
    assert 3 <= len(RULES) <= 5
    assert all(rule["annotations"]["description"] for rule in RULES)


def test_the_page_lists_the_metrics_of_the_code():
    said = metrics_page.PAGE.read_text(encoding="utf-8")

    assert metrics_page.table() in said, "run: uv run python -m mohlcv_dagster_tests.docs.metrics_page"
