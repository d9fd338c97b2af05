"""What `mohlcv fetch` does about months that are stored: by what their checks say, and by what is known of them."""

import json
import os
from datetime import UTC, datetime

import pytest

from mohlcv_dagster.storage.reader import BarReader

JANUARY = ("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-01-31")


def test_a_stored_month_whose_blocking_checks_fail_is_never_skipped_and_leaves_with_1_until_it_is_right(
    mohlcv, project, vendor
):
    vendor.inject("bad-bar:symbol=ABC,times=all")
    first, second = mohlcv(*JANUARY), mohlcv(*JANUARY)
    assert (project / "data/raw_1s/ABC/ABC_2024_01.csv").exists()
    vendor.clear()
    third, fourth = mohlcv(*JANUARY), mohlcv(*JANUARY)

    assert [said.code for said in (first, second, third, fourth)] == [1, 1, 0, 0]
    assert "ABC 2024-01  downloading again: the stored file fails ohlc_order" in second.out
    assert third.out.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert fourth.out.endswith("0 downloaded, 1 skipped, 0 failed\n")


def test_a_stored_month_that_was_not_judged_is_judged_and_not_downloaded(mohlcv, vendor, monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BarReader, "examine", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert mohlcv(*JANUARY).code == 130
    asked = len(vendor.requests)
    said = mohlcv(*JANUARY)

    assert said.code == 0
    assert "checking: stored, and not every check of it has a result" in said.out
    assert "5 of 5 checks passed" in said.out
    assert said.out.endswith("0 downloaded, 1 checked, 0 skipped, 0 failed\n")
    assert len(vendor.requests) == asked


def test_in_another_folder_a_month_is_checked_each_time_and_downloaded_again_while_it_may_be_provisional(
    mohlcv, project, vendor
):
    words = (*JANUARY, "--output-dir", "mine")
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
    assert "another folder than the project's: the runs are not remembered" in said.out
    assert stored.stat().st_mtime > before

    whole = stored.read_bytes()
    stored.write_bytes(whole.replace(b"102.0,102.5,101.5", b"102.0,102.5,109.5", 1))
    said = mohlcv(*words)
    assert "downloading again: the stored file fails ohlc_order" in said.out
    assert (said.code, stored.read_bytes() == whole) == (0, True)


def test_json_is_one_document_with_what_became_of_each_month_and_why(mohlcv, vendor):
    vendor.inject("not-found:symbol=NOPE")
    words = ("fetch", "--symbol", "NOPE,ABC", "--start", "2024-01-01", "--end", "2024-02-28", "--json")
    mohlcv(*JANUARY)
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
