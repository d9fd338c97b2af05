"""Reading what is new gives what reading everything gives, whatever happened in between."""

import json
import zlib
from unittest import mock

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.dagster_patches import check_queries, unexported
from mohlcv_dagster.defs import quality_events, quality_history
from mohlcv_dagster.model.quality_rows import PATH
from mohlcv_dagster_tests.defs.month_log import ASSETS, FEW, KEYS, SYMBOLS, Log


@pytest.fixture
def log(instance, tmp_path):
    return Log(instance, tmp_path)


assets, keys = st.sampled_from(ASSETS), st.sampled_from(KEYS[:2])  # few, so that much happens to each
results = st.sampled_from(["passed", "warning", "error", "not judged"])
happenings = st.one_of(
    st.tuples(st.just("planned"), assets, keys),
    st.tuples(st.just("made"), assets, keys, st.sampled_from(["one", "two"])),
    st.tuples(st.just("evaluated"), assets, keys, results),
    st.tuples(st.just("evaluated_again"), assets, keys, results),
    st.tuples(st.just("ended"), st.sampled_from(["failed", "canceled"])),
    st.tuples(st.just("wiped"), assets),
    st.tuples(st.just("run_deleted"), st.integers(0, 5)),
    st.tuples(st.just("symbol_removed"), st.sampled_from(SYMBOLS)),
    st.tuples(st.just("symbol_added"), st.sampled_from(SYMBOLS)),
)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(happenings, st.booleans()), min_size=6, max_size=16),
    st.sampled_from([-1.0, 120.0]),
    st.sampled_from([2, 1000]),
)
def test_reading_what_is_new_gives_what_reading_everything_gives(tmp_path_factory, steps, overlap, at_once):
    with (
        dg.DagsterInstance.ephemeral() as instance,
        mock.patch.object(quality_history, "OVERLAP", overlap),
        mock.patch.object(unexported, "MOST_AT_ONCE", at_once),
        mock.patch.object(quality_history, "FEW", at_once),
    ):
        log = Log(instance, tmp_path_factory.mktemp("log"), FEW)
        for (name, *words), is_read in steps:
            getattr(log, name)(*words)
            if is_read:
                assert log.read() == log.read_all()
        assert log.read() == log.read_all()


def test_what_checks_said_goes_with_a_file_that_was_made_and_wiped_between_two_readings(log):
    asset = "aggregated/1min"
    log.made("raw_1s", "2024-01|SPY")
    log.evaluated(asset, "2024-01|SPY")
    assert log.read()["SPY", "2024-01"].quality.judged > 0

    log.made(asset, "2024-01|SPY")
    log.wiped(asset)

    assert log.read()["SPY", "2024-01"].quality.judged == 0


def test_what_a_run_was_to_check_goes_with_a_wipe_also_after_the_run_was_deleted(log):
    log.made("raw_1s", "2024-01|SPY")
    log.planned("aggregated/1min", "2024-01|SPY")
    log.run_deleted(1)
    assert log.read()["SPY", "2024-01"].quality.not_judged > 0

    log.wiped("aggregated/1min")

    assert log.read()["SPY", "2024-01"].quality.not_judged == 0


@pytest.mark.parametrize("is_planned", [False, True])
def test_what_checks_said_is_read_also_where_the_run_was_deleted_before(log, is_planned):
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")
    run = log.begun()
    if is_planned:
        log.evaluated("raw_1s", "2024-01|SPY", "not judged", run=run)
    assert log.read()["SPY", "2024-01"].quality.errors == 0

    log.evaluated("raw_1s", "2024-01|SPY", "error", run=run)
    log.run_deleted(1)

    assert log.read()["SPY", "2024-01"].quality.errors == 5


def test_everything_is_read_where_nothing_tells_what_was_taken_away(log, monkeypatch):
    monkeypatch.setattr(check_queries, "database", lambda instance: None)
    log.made("aggregated/1min", "2024-01|SPY")
    log.evaluated("aggregated/1min", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")
    assert log.read()["SPY", "2024-01"].quality.judged > 0

    log.wiped("aggregated/1min")

    assert log.read()["SPY", "2024-01"].quality.judged == 0


# what is read


@pytest.fixture
def reads(log, monkeypatch):
    """How many months a reading reads."""
    update, counts = quality_history.update, []
    monkeypatch.setattr(quality_history, "update", lambda *words: counts.append(update(*words)) or counts[-1])
    monkeypatch.setattr(quality_history, "OVERLAP", -1.0)
    log.rules = FEW

    def read():
        log.read()
        return counts[-1]

    for partition in KEYS:
        log.planned("raw_1s", partition)
        log.made("raw_1s", partition)
        log.evaluated("raw_1s", partition)
        log.ended("canceled")
    assert read() == len(KEYS)
    return read


def test_only_months_with_something_new_are_read_again(log, reads):
    assert reads() == 0

    log.planned("raw_1s", KEYS[0])
    log.made("raw_1s", KEYS[0])
    assert reads() == 1

    log.evaluated_again("raw_1s", KEYS[1], "error")
    assert reads() == 1
    assert reads() == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state, table: table.write_bytes(b"edited"),
        lambda state, table: table.unlink(),
        lambda state, table: state.unlink(),
        lambda state, table: state.write_bytes(state.read_bytes()[:-20]),
        lambda state, table: state.write_bytes(b"of another making"),
        lambda state, table: rewritten(state, form=0),
        lambda state, table: rewritten(state, run="a run of another home"),
        lambda state, table: rewritten(state, checks=["raw_1s: intact"]),
        lambda state, table: rewritten(state, assets=["raw_1s"]),
        lambda state, table: rewritten(state, months=None),
    ],
)
def test_the_state_of_another_table_home_or_form_is_not_used(log, reads, spoil):
    spoil(log.folder / quality_events.PATH, log.folder / PATH)

    assert reads() == len(KEYS)
    assert log.read() == log.read_all()


def test_an_event_that_is_committed_late_is_read_though_later_ones_were_read_before(log, monkeypatch):
    log.planned("raw_1s", KEYS[0])
    log.made("raw_1s", KEYS[0])
    log.read()
    entries, summaries, late = unexported.check_events, unexported.check_summaries, []

    def committed_entries(*words):
        return (each for each in entries(*words) if each[0] not in late)

    def committed_summaries(*words):
        return (each for each in summaries(*words) if each.event not in late)

    monkeypatch.setattr(unexported, "check_events", committed_entries)
    monkeypatch.setattr(unexported, "check_summaries", committed_summaries)
    before = log.instance.event_log_storage.get_maximum_record_id()
    log.evaluated("raw_1s", KEYS[0], "error")
    late.extend(range(before + 1, log.instance.event_log_storage.get_maximum_record_id() + 1))
    log.made("raw_1s", KEYS[1])
    log.evaluated("raw_1s", KEYS[1], "passed")
    assert log.read()["SPY", "2024-01"].quality.errors == 0

    late.clear()
    assert log.read()["SPY", "2024-01"].quality.errors == 5


def rewritten(state, **other):
    """The file with something else in it."""
    held = json.loads(zlib.decompress(state.read_bytes()))
    state.write_bytes(zlib.compress(json.dumps({**held, **other}).encode()))
