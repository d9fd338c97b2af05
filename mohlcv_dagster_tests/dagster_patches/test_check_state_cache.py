"""The cache of check states: stored for the next process, bounded, open to many at once, with a way back."""

import logging
import subprocess
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest
import yaml
from packaging.specifiers import SpecifierSet
from sqlalchemy.exc import OperationalError

from mohlcv_dagster.dagster_patches import check_state_storage, guard
from mohlcv_dagster.dagster_patches.check_queries import EventId
from mohlcv_dagster.dagster_patches.check_state_cache import STORED_AS, CacheLimits, CheckStateCache
from mohlcv_dagster.dagster_patches.check_states import CachedAsset, CachedCheck
from mohlcv_dagster.dagster_patches.sqlite_event_log import RememberingSqliteEventLogStorage
from mohlcv_dagster_tests.dagster_patches.compared import RAW, SYMBOLS, Run, answers, make, on_sqlite
from mohlcv_dagster_tests.dagster_patches.storages import AtOnce, Forgetting
from mohlcv_dagster_tests.dagster_patches.twelve_checks import CHECKS, KEYS

pytestmark = pytest.mark.slow

FIFTEEN = dg.AssetKey(["aggregated", "15s"])
RAW_KEYS = [key for key in KEYS if key[0].asset_key == RAW]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(logging.getLogger("dagster"), "disabled", True)  # runs that are told to fail say so
    guard.warn_once.cache_clear()


@pytest.fixture
def instances(tmp_path):
    instances = on_sqlite(tmp_path, [AtOnce])
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS)
    yield instances
    instances.dispose()


@pytest.fixture
def ours(instances):
    return instances.ours["AtOnce"]


class Readings:
    """What is read of checks: how many partitions, `None` for all."""

    def __init__(self, storage, monkeypatch):
        self.of, own = [], storage.get_asset_check_partition_info

        def read(keys, after_storage_id=None, partition_keys=None):
            self.of.append(None if partition_keys is None else len(partition_keys))
            return own(keys, after_storage_id, partition_keys)

        monkeypatch.setattr(storage, "get_asset_check_partition_info", read)


def test_a_question_reads_what_is_new_alone(instances, ours, monkeypatch):
    make(ours, "2024-01|SA", assets=list(CHECKS))
    make(ours, "2024-01|SB")
    answers(ours)
    readings = Readings(ours.event_log_storage, monkeypatch)

    answers(ours)
    assert readings.of == []
    make(instances.stock, "2024-02|SA", assets=[FIFTEEN])
    assert not instances.differences()
    assert readings.of == [1] * len(CHECKS[FIFTEEN])


@pytest.mark.slow
def test_a_new_process_begins_with_what_was_stored(instances, ours, monkeypatch):
    make(ours, "2024-01|SA", failing=["valid"])
    make(ours, "2024-01|SB")
    Run(ours, "2024-01|SC").plan()
    answers(ours)
    make(instances.stock, "2024-01|SD")
    fresh = instances.fresh("AtOnce")
    readings = Readings(fresh.event_log_storage, monkeypatch)

    assert answers(fresh, RAW_KEYS) == answers(instances.stock, RAW_KEYS)
    assert readings.of == [1] * len(RAW_KEYS)  # the month of the other process
    fresh.dispose()


@pytest.mark.parametrize(
    "spoil",
    [lambda _: "", lambda _: "no such thing", lambda text: text[: len(text) // 2], lambda text: text[:-9] + "A" * 9],
    ids=["empty", "another text", "cut short", "damaged"],
)
def test_a_stored_state_that_cannot_be_read_is_made_again(spoil, instances, ours, caplog):
    make(ours, "2024-01|SA", failing=["valid"])
    answers(ours)
    name = STORED_AS.format(RAW.to_string())
    text = ours.run_storage.get_cursor_values({name})[name]
    ours.run_storage.set_cursor_values({name: spoil(text)})
    instances.renew()

    assert not instances.differences()
    assert ("of raw_1s is made again" in caplog.text) == bool(spoil(text))
    assert CachedAsset.from_text(ours.run_storage.get_cursor_values({name})[name]).checks["valid"].failed == {
        "2024-01|SA"
    }


def test_a_state_stored_in_another_form_is_made_again(instances, ours, monkeypatch, caplog):
    make(ours, "2024-01|SA", failing=["valid"])
    monkeypatch.setattr("mohlcv_dagster.dagster_patches.check_states.FORM", 0)
    answers(ours)
    monkeypatch.undo()
    instances.renew()

    assert not instances.differences()
    assert "form 0 is not form 1" in caplog.text


def test_a_stored_state_reads_as_it_was():
    check = CachedCheck({"2024-01|A", "2024-03|A"}, {"2024-02|A"}, {"2024-04|A": "run-1", "2024-05|A": "run-2"}, 9, 5)
    mark = EventId(9, "run-1", "2024-06-01 12:00:00.000001")
    facts = CachedAsset(
        (mark,), "wiped", 3, {"2024-01|A": 4, "2024-06|Ä": 7}, mark, 2, {"intact": check, "new": CachedCheck()}
    )

    assert CachedAsset.from_text(facts.to_text()) == facts


def test_no_more_is_held_than_allowed_but_for_the_asset_asked_for_last(tmp_path):
    instances = on_sqlite(tmp_path, [Forgetting])
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS)
    ours = instances.ours["Forgetting"]
    make(ours, "2024-01|SA", assets=list(CHECKS))

    for _ in range(2):
        assert not instances.differences()
        held = ours.event_log_storage._check_cache._assets
        assert list(held) == [KEYS[-1][0].asset_key]
    instances.dispose()


def test_a_cached_partition_takes_some_hundred_bytes():
    partitions = [
        f"{year}-{month:02d}|{symbol}" for year in range(2004, 2024) for month in range(1, 13) for symbol in SYMBOLS
    ]
    names = CHECKS[RAW]
    tracemalloc.start()
    facts = CachedAsset(
        materialized={partition: 10**6 + number for number, partition in enumerate(partitions)},
        checks={name: CachedCheck(passed=set(partitions)) for name in names},
    )
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(facts) == 4800 * 6
    assert size / len(facts) < 100


def test_an_asset_read_for_the_first_time_holds_up_no_other(instances, ours, monkeypatch):
    make(ours, "2024-01|SA", assets=[RAW, FIFTEEN])
    storage = ours.event_log_storage
    own, reading, go_on = storage.get_asset_check_partition_info, threading.Event(), threading.Event()

    def read(keys, **how):
        if keys[0].asset_key == RAW:
            reading.set()
            assert go_on.wait(20)
        return own(keys, **how)

    monkeypatch.setattr(storage, "get_asset_check_partition_info", read)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(answers, ours, RAW_KEYS)
        assert reading.wait(20)
        others = [key for key in KEYS if key[0].asset_key == FIFTEEN]
        assert answers(ours, others) == answers(instances.stock, others)
        assert not first.done()
        go_on.set()
        assert first.result() == answers(instances.stock, RAW_KEYS)


WRITER = """
import sys, dagster as dg
from mohlcv_dagster_tests.dagster_patches.compared import make
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for month in range(1, 5):
        make(instance, f"2024-{month:02d}|SA", failing=["valid"] if month % 2 else [])
"""


@pytest.mark.slow
def test_many_ask_at_once_while_another_process_writes(instances, ours, tmp_path):
    writing = subprocess.Popen([sys.executable, "-W", "ignore", "-c", WRITER, tmp_path / "stock"])

    def ask(_):
        asked = 0
        while writing.poll() is None:
            said = answers(ours)
            assert all(
                set(statuses) == {"IN_PROGRESS", "SUCCEEDED", "FAILED", "EXECUTION_FAILED", "SKIPPED"}
                for statuses, _ in said.values()
            )
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(ask, range(3)))
    assert writing.wait() == 0
    assert not instances.differences()
    assert len(answers(ours)[RAW_KEYS[1][0]][0]["FAILED"]) == 2


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_an_event_is_looked_at_again_until_a_minute_after_it_was_seen(instances, ours, monkeypatch):
    # Dagster commits an event before the row that says what its check said: a question may fall between them
    clock, stock, late = Clock(), instances.stock.event_log_storage, []
    ours.event_log_storage._check_cache = CheckStateCache(ours.event_log_storage, CacheLimits(look_back=0), clock)
    make(instances.stock, "2024-01|SA")
    run = Run(instances.stock, "2024-01|SB").plan().materialize()
    for clock.now in (0, 100):
        assert not instances.differences()
    with monkeypatch.context() as between:
        between.setattr(stock, "store_asset_check_event", lambda *event: late.append(event))
        run.evaluate(names=["valid"])
    assert not instances.differences()
    clock.now = 159
    for event in late:
        stock.store_asset_check_event(*event)
    assert not instances.differences()

    clock.now = 161
    assert not instances.differences()
    readings = Readings(ours.event_log_storage, monkeypatch)
    assert not instances.differences()
    assert readings.of == []


def test_an_error_half_way_leaves_nothing_half_known(instances, ours, monkeypatch):
    make(ours, "2024-01|SA")
    answers(ours)
    make(ours, "2024-01|SA", failing=["valid"])

    def fail(*_, **__):
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(ours.event_log_storage, "get_asset_check_partition_info", fail)
        with pytest.raises(OSError, match="disk full"):
            answers(ours)
    assert not instances.differences()


def test_a_state_that_cannot_be_stored_is_answered_all_the_same(instances, ours, monkeypatch, caplog):
    def refuse(_):
        raise OperationalError("INSERT", {}, OSError("database or disk is full"))

    make(ours, "2024-01|SA", failing=["valid"])
    monkeypatch.setattr(ours.run_storage, "set_cursor_values", refuse)

    assert not instances.differences()
    assert "of raw_1s could not be stored" in caplog.text


def another_version(monkeypatch):
    monkeypatch.setattr(guard, "TESTED", SpecifierSet("<1"))
    return "it was tested with Dagster <1"


def without_a_name(monkeypatch):
    monkeypatch.setattr(check_state_storage, "_NEEDED", ("renamed_by_dagster",))
    return "has no renamed_by_dagster"


def without_a_module(monkeypatch):
    monkeypatch.setitem(sys.modules, "mohlcv_dagster.dagster_patches.check_state_cache", None)
    return "check_state_cache"


@pytest.mark.parametrize("change", [another_version, without_a_name, without_a_module])
def test_where_dagster_is_another_its_own_way_is_taken_and_the_log_says_so_once(change, instances, monkeypatch, caplog):
    reason = change(monkeypatch)
    instances.renew()
    make(instances.stock, "2024-01|SA", failing=["valid"])
    make(instances.stock, "2024-01|SB")

    assert not instances.differences()
    assert not instances.differences()
    assert instances.ours["AtOnce"].event_log_storage._check_cache is None
    [said] = [record for record in caplog.records if record.name == guard.__name__]
    assert said.levelname == "WARNING"
    assert reason in said.getMessage()


def test_a_home_that_names_the_former_class_has_the_cache_too(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    storage = {"module": "mohlcv_dagster.defs.event_log", "class": "KeptSqliteEventLogStorage", "config": {}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({"event_log_storage": storage}))

    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage) is RememberingSqliteEventLogStorage
        assert instance.event_log_storage._check_cache is not None


def test_checks_without_partitions_are_answered_by_dagster(instances, ours):
    key = dg.AssetCheckKey(dg.AssetKey("table"), "whole")
    states = ours.event_log_storage.get_asset_check_state([(key, None), *RAW_KEYS])

    assert states.keys() == {key, *(check for check, _ in RAW_KEYS)}
    assert states[key] == instances.stock.event_log_storage.get_asset_check_state([(key, None)])[key]
