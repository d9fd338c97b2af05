"""What `mohlcv plan` says and `mohlcv fetch` does about stored months in every state that people and crashes leave."""

import hashlib
import json
import os
import shutil
from collections import Counter
from datetime import UTC, datetime

import dagster as dg
import pytest
from filelock import FileLock

from mohlcv_dagster.cli import runs
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.defs.quiet_market import AnySymbol

pytestmark = pytest.mark.slow

DAYS = ("--start", "2024-01-01", "--end", "2024-01-31")
FILE = BarFile("ABC", RAW, Month(2024, 1))
EARLY = datetime(2024, 1, 30, 17, tzinfo=UTC)
OTHER = "the stored file is not the one that was recorded"


def of(symbol):
    return BarFile(symbol, RAW, Month(2024, 1))


@pytest.fixture
def path(project):
    return project / "data" / str(FILE.path)


@pytest.fixture
def fetched(mohlcv, memory, vendor):
    """ABC 2024-01, fetched and checked."""
    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0
    vendor.requests.clear()


@pytest.fixture
def fetch(mohlcv):
    """Fetch ABC 2024-01 and then once more: what was said first, what became of the month, and of it after that."""

    def call():
        first, second = (mohlcv("fetch", "--symbol", "ABC", *DAYS, "--json") for _ in range(2))
        outcomes = [json.loads(said.out)["months"][0]["outcome"] for said in (first, second)]
        return first.err, *outcomes

    return call


def test_a_file_cut_short_is_fetched_again_and_then_skipped(fetched, fetch, path):
    whole = path.read_bytes()
    cut = path.write_bytes(b"".join(whole.splitlines(keepends=True)[:100]))
    said, first, second = fetch()

    assert f"downloading again: {OTHER}: it has {cut:,} bytes, {len(whole):,} were written" in said
    assert (first, second, path.read_bytes() == whole) == ("downloaded", "skipped", True)


def test_a_file_edited_without_a_change_of_size_is_fetched_again(fetched, fetch, path):
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b",7\n", b",8\n", 1))
    said, first, second = fetch()

    assert f"downloading again: {OTHER}: its digest is another one" in said
    assert (first, second, path.read_bytes() == whole) == ("downloaded", "skipped", True)


def test_a_file_that_was_copied_back_is_known_by_its_digest_and_skipped(fetched, fetch, path, vendor):
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").replace(path)

    assert fetch()[1:] == ("skipped", "skipped")
    assert vendor.requests == []


def test_an_edit_that_restores_size_and_time_is_left_to_verify(fetched, fetch, mohlcv, path):
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b",7\n", b",8\n", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert fetch()[1:] == ("skipped", "skipped")
    assert mohlcv("verify", "data").code == 1


def test_a_file_of_which_no_stamp_was_recorded_is_known_by_its_digest(fetched, fetch, memory, path, vendor):
    stamp = memory.facts(FILE)["file_stamp"].value
    status = path.stat()
    assert stamp == f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
    memory.record(FILE, file_stamp=None)

    # recorded once more, so that its checks have no result
    assert fetch()[1:] == ("checked", "skipped")
    assert vendor.requests == []


def test_a_file_that_is_gone_is_fetched_again(fetched, fetch, path):
    path.unlink()
    said, first, second = fetch()

    assert "ABC 2024-01  downloading again: it was recorded, and its file is missing" in said
    assert (first, second, path.exists()) == ("downloaded", "skipped", True)


def test_a_file_without_a_record_whose_run_began_before_it_was_written_is_fetched_again(fetched, fetch, memory, vendor):
    memory.forget(FILE)
    said, first, second = fetch()

    assert "downloading again: the run that was to write it ended without recording it" in said
    assert (first, second) == ("downloaded", "skipped")
    assert vendor.requests


def test_a_file_that_was_there_before_any_run_is_checked_and_recorded_and_then_skipped(fetched, fetch, memory, vendor):
    before = memory.facts(FILE)
    _forget(memory.home)
    said, first, second = fetch()

    assert "ABC 2024-01  checking and recording: stored, and not recorded here yet" in said
    assert "5 of 5 checks passed" in said
    assert (first, second, vendor.requests) == ("checked", "skipped", [])
    facts = memory.facts(FILE)
    assert facts["adopted"].value is True
    for name in ("sha256", "vendor", "fetched_at", "file_stamp", "dagster/partition_row_count"):
        assert facts[name] == before[name], name


def _forget(home):
    """Leave the files without a home, as on a machine that the data folder was copied to."""
    shutil.rmtree(home)


def test_a_file_of_another_origin_without_a_manifest_entry_is_recorded_too(fetched, fetch, home, project, vendor):
    _forget(home)
    shutil.rmtree(project / "data/manifest")

    assert fetch()[1:] == ("checked", "skipped")
    assert vendor.requests == []


def test_a_file_of_another_origin_that_fails_a_check_is_fetched_again_by_the_same_command(
    fetched, fetch, home, project, path
):
    _forget(home)
    shutil.rmtree(project / "data/manifest")
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"102.0,102.5,101.5", b"102.0,102.5,109.5", 1))  # a low above the high
    said, first, second = fetch()

    assert "downloading again: the stored file fails ohlc_order" in said
    assert (first, second, path.read_bytes() == whole) == ("downloaded", "skipped", True)


def test_a_file_of_another_origin_that_cannot_be_read_is_fetched_again(fetched, fetch, home, project, path):
    _forget(home)
    shutil.rmtree(project / "data/manifest")
    path.write_bytes(b"\x00\x01 no bars\n")
    said, first, second = fetch()

    assert "downloading again: the stored file cannot be read, so that it cannot be recorded" in said
    assert (first, second) == ("downloaded", "skipped")


def test_a_file_that_its_manifest_entry_contradicts_is_fetched_again(fetched, fetch, home, project, path):
    _forget(home)
    path.write_bytes(path.read_bytes().replace(b",7\n", b",8\n", 1))
    said, first, second = fetch()

    assert "downloading again: no run recorded it, and its manifest entry is of another file" in said
    assert (first, second) == ("downloaded", "skipped")


def test_a_file_that_a_killed_run_left_is_fetched_again_also_after_a_fetch_that_failed(
    mohlcv, fetch, memory, vendor, path
):
    vendor.inject("not-found:symbol=ABC,times=all")
    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 1
    path.parent.mkdir(parents=True)
    path.write_text("ts_event,open,high,low,close,volume\n")
    assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 1
    vendor.clear()
    said, first, second = fetch()

    assert "downloading again: the run that was to write it ended without recording it" in said
    assert (first, second) == ("downloaded", "skipped")


def _no_entry(project):
    shutil.rmtree(project / "data/manifest")


def _entry_is(text):
    def write(project):
        [entry] = (project / "data/manifest").rglob("*.json")
        entry.write_text(text(entry.read_text()))

    return write


ENTRIES = {
    "none": _no_entry,
    "garbage": _entry_is(lambda _: "{"),
    "empty": _entry_is(lambda _: ""),
    "of another file": _entry_is(lambda text: text.replace("2024_01", "2024_02")),
    "its own": lambda _: None,
}


@pytest.fixture
def unrecord(fetched, mohlcv, memory, vendor):
    """Leave ABC 2024-01 without a record."""

    def call(how):
        if how == "the home is lost":
            _forget(memory.home)
            return
        memory.forget(FILE)
        if how == "two runs were killed":
            vendor.inject("not-found:symbol=ABC,times=all")
            assert mohlcv("fetch", "--symbol", "ABC", *DAYS, "--force").code == 1
            vendor.clear()

    return call


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("how", ["the home is lost", "a run was killed", "two runs were killed"])
def test_a_bad_file_without_a_record_is_never_skipped_whatever_its_manifest_entry_is(
    unrecord, fetch, project, entry, how
):
    path = project / "data" / str(FILE.path)
    whole = path.read_bytes()
    unrecord(how)
    path.write_bytes(whole.replace(b"102.0,102.5,101.5", b"102.0,102.5,109.5", 1))  # a low above the high
    ENTRIES[entry](project)
    said, first, second = fetch()

    assert "ABC 2024-01  downloading again" in said
    assert (first, second, path.read_bytes() == whole) == ("downloaded", "skipped", True)


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.usefixtures("vendor")
def test_while_a_manifest_entry_cannot_be_written_each_fetch_fails_and_the_next_one_is_good(
    mohlcv, fetch, memory, project, stored
):
    if stored:
        assert mohlcv("fetch", "--symbol", "ABC", *DAYS).code == 0
        _forget(memory.home)
        shutil.rmtree(project / "data/manifest")
    (project / "data").mkdir(exist_ok=True)
    (project / "data/manifest").touch()
    refused = [mohlcv("fetch", "--symbol", "ABC", *DAYS) for _ in range(3)]
    (project / "data/manifest").unlink()
    _, first, second = fetch()

    assert [(said.code, "Traceback" in said.err) for said in refused] == [(1, False)] * 3
    assert first in {"downloaded", "checked"}
    assert second == "skipped"


def test_a_stored_file_that_fails_when_it_is_checked_at_last_is_fetched_again_at_once(fetched, fetch, memory, path):
    bad = path.read_bytes().replace(b"102.0,102.5,101.5", b"102.0,102.5,109.5", 1)
    path.write_bytes(bad)
    memory.record(FILE, sha256=dg.MetadataValue.text(hashlib.sha256(bad).hexdigest()))
    said, first, second = fetch()

    assert "checking: stored, and not every check of it has a result" in said
    assert "downloading again: the stored file fails ohlc_order" in said
    assert (first, second) == ("downloaded", "skipped")


def test_a_month_of_a_symbol_that_was_removed_is_checked_and_the_symbol_is_kept_again(fetched, fetch, memory):
    memory.record(FILE)
    with memory.instance() as instance:
        instance.delete_dynamic_partition("symbol", "ABC")

    assert fetch()[1:] == ("checked", "skipped")
    with memory.instance() as instance:
        assert instance.get_dynamic_partitions("symbol") == ["ABC"]


def test_with_parquet_a_file_that_is_recorded_has_its_mirror(fetched, fetch, home, project, monkeypatch):
    _forget(home)
    monkeypatch.setenv("MOHLCV_PARQUET", "true")

    assert fetch()[1:] == ("checked", "skipped")
    assert list((project / "data").rglob("ABC_2024_01.parquet"))


WORDS = {
    "AAA": "downloaded",
    "BBB": "skipped",
    "CCC": "completed",
    "DDD": "downloaded",
    "EEE": "downloaded",
    "FFF": "downloaded",
    "GGG": "checked",
    "HHH": "downloaded",
    "III": "checked",
    "JJJ": "downloaded",
    "KKK": "downloaded",
}


@pytest.mark.timeout(240)
def test_a_plan_and_the_fetch_after_it_agree_about_months_in_every_state(mohlcv, memory, market, project, monkeypatch):
    with Sandbox(AnySymbol(market)) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        symbols = ",".join(WORDS)
        # not stored is AAA; III comes from elsewhere, and JJJ too, from before the month was final
        sandbox.inject("bad-bar:symbol=KKK")
        stored = [symbol for symbol in WORDS if symbol not in {"AAA", "III", "JJJ"}]
        mohlcv("fetch", "--symbol", ",".join(stored), *DAYS)
        _bring_into_states(memory, project)
        planned = json.loads(mohlcv("plan", "--symbol", symbols, *DAYS, "--offline", "--json").out)
        done = json.loads(mohlcv("fetch", "--symbol", symbols, *DAYS, "--json").out)
        again = json.loads(mohlcv("plan", "--symbol", symbols, *DAYS, "--offline", "--json").out)

    assert {month["symbol"]: month["outcome"] for month in planned["months"]} == WORDS
    assert {month["symbol"]: month["outcome"] for month in done["months"]} == WORDS
    for word, count in Counter(WORDS.values()).items():
        assert planned["partitions"][word] == done["counts"][word] == count
    because = {month["symbol"]: month["because"] for month in planned["months"]}
    told = {month["symbol"]: month.get("because") or month["reasons"][0] for month in done["months"]}
    assert told == because
    assert again["partitions"]["skipped"] == len(WORDS)


def _bring_into_states(memory, project):
    def path(symbol):
        return project / "data" / str(of(symbol).path)

    early = dg.MetadataValue.timestamp(EARLY)
    memory.record(of("CCC"), fetched_at=early, complete_through=early)
    path("DDD").write_bytes(path("DDD").read_bytes()[:5000])
    path("EEE").write_bytes(path("EEE").read_bytes().replace(b",7\n", b",8\n", 1))
    path("FFF").unlink()
    memory.record(of("GGG"))
    memory.forget(of("HHH"))
    for symbol in ("III", "JJJ"):
        path(symbol).parent.mkdir()
        shutil.copy(path("BBB"), path(symbol))
    os.utime(path("JJJ"), (EARLY.timestamp(), EARLY.timestamp()))


def test_a_file_that_is_recorded_is_not_checked_while_adopt_is_at_work(fetched, home, project, mohlcv):
    _forget(home)
    home.mkdir()
    with FileLock(home / "adopt.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "PATIENCE", 0)
        said = mohlcv("fetch", "--symbol", "ABC", *DAYS)

    assert said.code == 2
    assert f"`mohlcv adopt` is running on {home}: wait until it is done" in said.err
