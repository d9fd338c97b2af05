"""What a fetch says of many months: each thing once."""

import json

import pytest

from mohlcv_dagster.cli.console import Summary, open_console
from mohlcv_dagster.cli.runs import FinishedRun
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW

RANGE = ("--start", "2024-01", "--end", "2024-03")


def raw(symbol, month):
    return BarFile(symbol, RAW, Month.parse(month))


@pytest.mark.usefixtures("home")
def test_a_key_that_is_refused_is_told_once_and_no_other_month_is_tried(mohlcv, vendor):
    vendor.inject("unknown-key")
    said = mohlcv("fetch", "--symbol", "ABC,XYZ", *RANGE)

    assert said.code == 1
    assert said.out.count("The vendor does not know the API key") == 1
    assert "1 failed; ended there, 5 of 6 not tried" in said.out
    assert len({request.path for request in vendor.requests}) <= 3


@pytest.mark.usefixtures("home")
def test_of_a_refused_key_the_document_counts_what_was_not_tried(mohlcv, vendor):
    vendor.inject("unknown-key")
    told = json.loads(mohlcv("fetch", "--symbol", "ABC", *RANGE, "--json").out)

    assert (told["ok"], told["counts"]["failed"], told["not_tried"]) == (False, 1, 2)


@pytest.mark.usefixtures("home")
def test_a_plan_that_reaches_no_month_is_told_once(mohlcv, vendor):
    vendor.inject("plan-seconds")
    said = mohlcv("fetch", "--symbol", "ABC", *RANGE)

    assert "3 failed" in said.out
    assert said.out.count("the plan of this API key does not reach") == 1
    assert "✗ ABC 2024-01 to 2024-03 (3 months):" in said.out


def test_what_is_skipped_is_told_in_a_line_a_symbol(capsys):
    summary = Summary("fetch", ("downloaded",), 5)
    for month in ("2024-01", "2024-02", "2024-03"):
        summary.skip(raw("SPY", month), "stored")
    summary.skip(raw("QQQ", "2024-01"), "stored")
    summary.skip(raw("QQQ", "2024-02"), "stored and provisional")
    summary.show_skipped(open_console())

    assert capsys.readouterr().out.splitlines() == [
        "- SPY 2024-01 to 2024-03 (3 months)  skipped: stored",
        "- QQQ  skipped: 2024-01 stored; 2024-02 stored and provisional",
    ]


def test_months_that_failed_for_one_reason_are_told_together(capsys):
    summary = Summary("fetch", ("downloaded",), 3)
    for month, why in (("2024-01", "away"), ("2024-02", "broken"), ("2024-03", "away")):
        summary.add(raw("SPY", month), "downloaded", FinishedRun("", succeeded=False, reasons=(why,), checks=()))
    summary.show(open_console())

    assert capsys.readouterr().out.splitlines()[2:] == [
        "✗ SPY 2024-01 to 2024-03 (2 months):  away",
        "✗ SPY 2024-02:  broken",
    ]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("data", ()),
        ("data/raw_1s/ABC", ()),
        ("data/manifest", ()),
        ("data/history", ()),
        ("data/parquet", ()),
        ("data/aggregated", ("--resample",)),
        ("other", ("--output-dir", "other")),
    ],
)
@pytest.mark.usefixtures("_mirrored")
def test_a_place_that_cannot_be_written_is_found_before_anything_is_requested(mohlcv, vendor, project, place, words):
    (project / place).parent.mkdir(parents=True, exist_ok=True)
    (project / place).write_text("in the way")
    said = mohlcv("fetch", "--symbol", "ABC", *RANGE, *words)

    assert said.code == 1
    assert f"{project / place} cannot be written: {project / place} is not a folder" in said.err
    assert vendor.requests == []


@pytest.fixture
def _mirrored(monkeypatch):
    monkeypatch.setenv("MOHLCV_PARQUET", "true")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s", "--report", "file/x.html"),
            "--report file/x.html cannot be written",
        ),
        (
            ("history", "ABC", "2024-01", "--as-of", "2024-02-01", "--output", "file/x.csv"),
            "--output file/x.csv cannot be written",
        ),
        (("chart", "ABC", "2024-01", "--output", "file/x.html"), "--output file/x.html cannot be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_found_before_the_work(mohlcv, project, words, told):
    (project / "file").write_text("in the way")
    at = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    at.parent.mkdir(parents=True)
    at.write_text("not read")
    said = mohlcv(*words)

    assert (said.code, told in said.err) == (2, True), said.err
    assert "is not a folder; name another file" in said.err


@pytest.mark.usefixtures("home", "vendor")
def test_with_resample_a_stored_month_without_aggregates_is_resampled_and_then_skipped(mohlcv, project):
    words = ("fetch", "--symbol", "ABC", "--start", "2024-01", "--end", "2024-01")
    assert mohlcv(*words).code == 0
    second, third = mohlcv(*words, "--resample"), mohlcv(*words, "--resample")

    assert "0 downloaded, 1 resampled, 0 skipped, 0 failed" in second.out
    assert (project / "data/aggregated/1min/ABC_2024_01_1min.csv").exists()
    assert "0 downloaded, 1 skipped, 0 failed" in third.out


def test_resample_with_another_folder_of_raw_files_is_refused(mohlcv, vendor):
    said = mohlcv("fetch", "--symbol", "ABC", *RANGE, "--resample", "--output-dir", "elsewhere")

    assert said.code == 2
    assert "--resample is for the project's own folder" in said.err
