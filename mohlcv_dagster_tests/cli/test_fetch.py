"""`mohlcv fetch`: months fetched, skipped, completed and refused."""

import json
import os
from datetime import UTC, datetime

import dagster as dg
import pytest

from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster.storage.reader import BarReader
from mohlcv_dagster_tests.checks.clean_files import HEADER

JANUARY = ("--start", "2024-01-01", "--end", "2024-01-31")
FETCH = ("fetch", "--symbol", "ABC", *JANUARY)


def test_a_month_is_fetched_checked_and_stored_and_then_skipped_until_forced(mohlcv, project, vendor):
    first = mohlcv("fetch", "--symbol", "ABC", *JANUARY)
    stored = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    asked = len(vendor.requests)

    assert (first.code, first.err) == (0, "")
    assert "5 of 5 checks passed" in first.out
    assert first.out.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert stored.read_text().count("\n") == 1 + 21 * 13 * 2

    os.utime(stored, (1, 1))
    second = mohlcv("fetch", "--symbol", "ABC", *JANUARY)
    assert second.code == 0
    assert "ABC 2024-01  skipped: stored" in second.out
    assert second.out.endswith("0 downloaded, 1 skipped, 0 failed\n")
    assert len(vendor.requests) == asked
    assert stored.stat().st_mtime == 1

    third = mohlcv("fetch", "--symbol", "ABC", *JANUARY, "--force")
    assert third.out.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert stored.stat().st_mtime > 1


def test_the_originals_spelling_of_options_and_a_folder_of_its_own_work(mohlcv, project, vendor):
    said = mohlcv("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31", "--output_dir", "mine")

    assert said.code == 0
    assert (project / "mine/ABC/ABC_2024_01.csv").exists()
    assert not (project / "data").exists()


def test_a_month_that_fails_is_told_with_its_reason_and_the_others_go_on(mohlcv, project, vendor):
    vendor.inject("not-found:symbol=NOPE")
    said = mohlcv("fetch", "--symbol", "NOPE", "--symbol", "ABC", *JANUARY)

    assert said.code == 1
    assert "1 downloaded, 0 skipped, 1 failed" in said.out
    assert "NOPE 2024-01:" in said.out
    assert (project / "data/raw_1s/ABC/ABC_2024_01.csv").exists()
    [abc] = json.loads(mohlcv("symbols", "--json").out)["symbols"]
    assert (abc["symbol"], abc["months"], abc["first"], abc["partitions"]) == ("ABC", 1, "2024-01", True)


def test_a_month_that_breaks_a_rule_fails_and_says_which(mohlcv, project, vendor):
    vendor.inject("bad-bar:symbol=ABC")
    said = mohlcv("fetch", "--symbol", "ABC", *JANUARY)

    assert said.code == 1
    assert "ohlc_order" in said.out
    assert "0 downloaded, 0 skipped, 1 failed" in said.out


def test_a_provisional_month_is_completed_with_few_requests_and_that_is_said(mohlcv, memory, vendor):
    mohlcv("fetch", "--symbol", "ABC", *JANUARY)
    asked = len(vendor.requests)
    middle = dg.MetadataValue.timestamp(datetime(2024, 1, 30, 17, tzinfo=UTC))
    memory.record(BarFile.parse("raw_1s/ABC/ABC_2024_01.csv"), fetched_at=middle, complete_through=middle)
    said = mohlcv("fetch", "--symbol", "ABC", *JANUARY)

    assert "ABC 2024-01  completing: fetched at 2024-01-30 17:00Z, provisional until 2024-02-01 16:00Z" in said.out
    assert said.out.endswith("0 downloaded, 1 completed, 0 skipped, 0 failed\n")
    # two of bars each, two and one that ask for the company, which this vendor does not know
    assert (asked, len(vendor.requests) - asked) == (2 + 2, 2 + 1)


def test_a_month_that_would_lose_settled_bars_fails_until_the_loss_is_accepted(mohlcv, project, vendor, tmp_path):
    mohlcv("fetch", "--symbol", "ABC", *JANUARY)
    stored = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    before = stored.read_bytes()
    vendor.close()
    fewer = tmp_path / "fewer"
    (fewer / "second").mkdir(parents=True)
    (fewer / "second" / "ABC_2024_01.csv").write_bytes(before[: before.index(b"2024-01-31")])

    with Sandbox(ReplayedMarket(fewer), port=int(vendor.url.rpartition(":")[2])):
        refused = mohlcv("fetch", "--symbol", "ABC", *JANUARY, "--force")
        kept = stored.read_bytes()
        accepted = mohlcv("fetch", "--symbol", "ABC", *JANUARY, "--force", "--accept-loss")

    assert (refused.code, kept == before) == (1, True)
    assert "26 of the 546 final bars stored of ABC 2024-01 1s are missing" in " ".join(refused.out.split())
    assert accepted.out.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert "26 final bars are not as they were before" in " ".join(accepted.out.split())
    assert stored.read_bytes() == (fewer / "second" / "ABC_2024_01.csv").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--symbol", "../x", *JANUARY], 2, "'../x' is not a US stock symbol"),
        (["--symbol", "", *JANUARY], 2, "the symbol is empty"),
        (["--symbol", "SPY", "--start", "01/02/2024", "--end", "2024-01-31"], 2, "01/02/2024"),
        (["--symbol", "SPY", "--start", "2024-02-01", "--end", "2024-01-31"], 2, "is before"),
        (["--symbol", "SPY", "--start", "2999-01-01", "--end", "2999-01-31"], 2, "in the future"),
        (["--symbol", "SPY", "--start", "1999-01-01", "--end", "1999-01-31"], 2, "MOHLCV_START"),
        ([*JANUARY], 2, "--symbol"),
        (["--symbol", "SPY", *JANUARY, "--frobnicate"], 2, "--frobnicate"),
        (["--symbol", "SPY", *JANUARY], 2, "MASSIVE_API_KEY is not set"),
    ],
)
def test_what_is_invalid_is_refused_with_the_value_and_nothing_is_written(mohlcv, project, words, code, told):
    said = mohlcv("fetch", *words)

    assert said.code == code
    assert told in said.err
    assert not list(project.rglob("*.csv"))


def test_a_month_proven_empty_is_stored_and_told_with_what_is_known_of_why(mohlcv, project, vendor):
    said = mohlcv("fetch", "--symbol", "ABC", "--start", "2024-02-01", "--end", "2024-02-29")

    assert said.code == 0
    assert "proven empty: whether it was listed then is unknown: there is no reference data at" in said.out
    assert "not_empty: raw_1s/ABC/ABC_2024_02.csv has no bars" in said.out
    assert said.out.endswith("1 downloaded (1 without bars), 0 skipped, 0 failed\n")
    assert (project / "data/raw_1s/ABC/ABC_2024_02.csv").read_bytes() == HEADER


def test_a_stored_month_whose_blocking_checks_fail_is_never_skipped_and_exits_with_1_until_it_is_right(
    mohlcv, project, vendor
):
    vendor.inject("bad-bar:symbol=ABC,times=all")
    first, second = mohlcv(*FETCH), mohlcv(*FETCH)
    assert (project / "data/raw_1s/ABC/ABC_2024_01.csv").exists()
    vendor.clear()
    third, fourth = mohlcv(*FETCH), mohlcv(*FETCH)

    assert [said.code for said in (first, second, third, fourth)] == [1, 1, 0, 0]
    assert "ABC 2024-01  downloading again: the stored file fails ohlc_order" in second.out
    assert third.out.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert fourth.out.endswith("0 downloaded, 1 skipped, 0 failed\n")


def test_a_stored_month_that_was_not_checked_is_checked_and_not_downloaded(mohlcv, vendor, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BarReader, "check", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert mohlcv(*FETCH).code == 130
    asked = len(vendor.requests)
    said = mohlcv(*FETCH)

    assert said.code == 0
    assert "checking: stored, and not every check of it has a result" in said.out
    assert "5 of 5 checks passed" in said.out
    assert said.out.endswith("0 downloaded, 1 checked, 0 skipped, 0 failed\n")
    assert len(vendor.requests) == asked


def test_in_another_folder_a_month_is_checked_each_time_and_downloaded_again_while_it_may_be_provisional(
    mohlcv, project, vendor
):
    words = (*FETCH, "--output-dir", "mine")
    mohlcv(*words)
    stored = project / "mine/ABC/ABC_2024_01.csv"
    asked = len(vendor.requests)
    checked = mohlcv(*words)
    assert "checking and recording: stored, and not recorded here yet" not in checked.out
    assert "ABC 2024-01  checking: stored, and nothing is recorded of this folder" in checked.out
    assert checked.out.endswith("0 downloaded, 1 checked, 0 skipped, 0 failed\n")
    assert (checked.code, len(vendor.requests)) == (0, asked)

    before = datetime(2024, 1, 30, 17, tzinfo=UTC).timestamp()
    os.utime(stored, (before, before))
    said = mohlcv(*words)
    assert "downloading again: written at 2024-01-30 17:00Z, provisional until 2024-02-01 16:00Z" in said.out
    assert "not the project's own folder: Dagster does not remember these runs" in said.out
    assert stored.stat().st_mtime > before

    whole = stored.read_bytes()
    stored.write_bytes(whole.replace(b"102.0,102.5,101.5", b"102.0,102.5,109.5", 1))
    said = mohlcv(*words)
    assert "downloading again: the stored file fails ohlc_order" in said.out
    assert (said.code, stored.read_bytes() == whole) == (0, True)


def test_json_is_one_document_with_what_became_of_each_month_and_why(mohlcv, vendor):
    vendor.inject("not-found:symbol=NOPE")
    words = ("fetch", "--symbol", "NOPE,ABC", "--start", "2024-01-01", "--end", "2024-02-28", "--json")
    mohlcv(*FETCH)
    said = mohlcv(*words)
    told = json.loads(said.out)
    months = {(each["symbol"], each["month"]): each for each in told["months"]}

    assert said.code == 1
    assert (told["command"], told["ok"], told["interrupted"]) == ("fetch", False, False)
    assert told["counts"] == {
        "downloaded": 1,
        "completed": 0,
        "checked": 0,
        "skipped": 1,
        "failed": 2,
        "stored_with_errors": 0,
    }
    assert months["ABC", "2024-01"] == {
        "symbol": "ABC",
        "month": "2024-01",
        "outcome": "skipped",
        "reasons": ["stored"],
    }
    assert (months["ABC", "2024-02"]["outcome"], months["ABC", "2024-02"]["empty"]) == ("downloaded", True)
    assert months["NOPE", "2024-01"]["reasons"][0]
    assert "2 failed" in said.err
