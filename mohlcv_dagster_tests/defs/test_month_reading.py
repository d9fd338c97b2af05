"""Reading what is new gives what reading everything gives, whatever happened in between; and how months stand."""

import itertools
import json
import zlib
from unittest import mock

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.defs import month_memory, month_reading
from mohlcv_dagster.defs.run_failures import Failure, sentence
from mohlcv_dagster.defs.stored_months import Reader, Rules, rows
from mohlcv_dagster.model.quality_rows import PATH, MonthStatus
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.twelve_checks import AGGREGATES, CHECKS, PARTITIONS, Said, evaluation

RULES = Rules(AGGREGATES, CHECKS)
ASSETS = ("raw_1s", "aggregated/1min")
_NAMES = {("raw_1s", "valid"), ("aggregated/1min", "matches_raw")}
FEW = Rules(
    AGGREGATES[-1:],
    {check: CHECKS[check][:1] for check in CHECKS if (check.asset_key.to_user_string(), check.name) in _NAMES},
)
"""A check of each of `ASSETS` and a rule of each; each check and each rule costs a question to the log."""
SYMBOLS, MONTHS = ("SPY", "QQQ"), ("2024-01", "2024-02")
KEYS = [f"{month}|{symbol}" for month, symbol in itertools.product(MONTHS, SYMBOLS)]


class Log:
    """An event log in which things happen, and the table made of it."""

    def __init__(self, instance, folder, rules=RULES):
        self.rules = rules
        self.instance, self.folder, self.table = instance, folder, 0
        self.runs = []
        self.archive = Archive(folder)
        instance.add_dynamic_partitions("symbol", list(SYMBOLS))

    # what may happen

    def planned(self, asset, partition):
        """A run is to make a file and to evaluate its checks."""
        run = self.begun()
        key = dg.AssetKey.from_user_string(asset)
        self.instance.report_dagster_event(
            dg.DagsterEvent.build_asset_materialization_planned_event(
                "job", "step", AssetMaterializationPlannedData(key, partition=partition)
            ),
            run.run_id,
        )
        subset = PARTITIONS.empty_subset().with_partition_keys([partition])
        for check in self.of(asset):
            planned = AssetCheckEvaluationPlanned(asset_key=key, check_name=check.name, partitions_subset=subset)
            self.tell(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned, run.run_id)

    def made(self, asset, partition, digest="one"):
        """The latest run makes the file."""
        run = self.latest()
        key = dg.AssetKey.from_user_string(asset)
        facts = {"sha256" if asset == "raw_1s" else "raw_sha256": digest, "dagster/partition_row_count": 7}
        made = dg.AssetMaterialization(key, partition=partition, metadata=facts)
        data = StepMaterializationData(made)
        self.tell(dg.DagsterEventType.ASSET_MATERIALIZATION, data, run.run_id)

    def evaluated(self, asset, partition, result="passed", *, run=None):
        """A run says of each check of the file that its first rule has this result."""
        run = run or self.latest()
        key = dg.AssetKey.from_user_string(asset)
        wanted = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
        records = self.instance.fetch_materializations(wanted, limit=1).records
        target = records and AssetCheckEvaluationTargetMaterializationData(
            storage_id=records[0].storage_id, run_id=records[0].run_id, timestamp=records[0].timestamp
        )
        for check in self.of(asset):
            said = Said(results={(asset, CHECKS[check][0]): result}, kinds={"unknown": 2})
            self.tell(
                dg.DagsterEventType.ASSET_CHECK_EVALUATION,
                evaluation(check, said, partition, target or None),
                run.run_id,
            )

    def evaluated_again(self, asset, partition, result):
        """Another run checks the file as it is."""
        self.evaluated(asset, partition, result, run=self.begun())

    def ended(self, how):
        """The latest run ends; one that has ended does not end in another way."""
        run = self.latest()
        if self.instance.get_run_by_id(run.run_id).is_finished:
            return
        if how == "failed":
            self.instance.report_run_failed(run, "The vendor was away.")
        else:
            self.instance.report_run_canceled(run)

    def wiped(self, asset):
        self.instance.wipe_assets([dg.AssetKey.from_user_string(asset)])

    def run_deleted(self, nth):
        """A run is deleted, whether or not what it did was read."""
        if self.runs:
            self.instance.delete_run(self.runs.pop(nth % len(self.runs)).run_id)

    def symbol_removed(self, symbol):
        self.instance.delete_dynamic_partition("symbol", symbol)

    def symbol_added(self, symbol):
        self.instance.add_dynamic_partitions("symbol", [symbol])

    # how it is told

    def begun(self):
        run = self.instance.add_run(dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
        self.runs.append(run)
        return run

    def latest(self):
        return self.runs[-1] if self.runs else self.begun()

    def tell(self, kind, what, run_id):
        event = dg.DagsterEvent(event_type_value=kind.value, job_name="job", event_specific_data=what)
        self.instance.report_dagster_event(event, run_id=run_id)

    def of(self, asset):
        return [check for check in self.rules.by_check if check.asset_key.to_user_string() == asset]

    # what is read

    def read(self):
        """The rows of a reading of what is new; it is remembered as by the quality asset."""
        reader = Reader(self.instance, self.archive, self.rules)
        found = reader.read()
        self.table += 1
        written = self.archive.write_path(PATH, str(self.table).encode())
        own = self.instance.add_run(dg.DagsterRun("quality", status=dg.DagsterRunStatus.SUCCESS))
        # as a run does at its end, so that no number of an event is given twice
        self.tell(dg.DagsterEventType.RUN_SUCCESS, None, own.run_id)
        reader.remember(own.run_id, written.sha256)
        return by_month(found)

    def read_all(self):
        """The rows of a reading of everything."""
        remembered = month_reading.Remembered()
        month_reading.update(self.instance, self.rules.assets, self.rules.checks, remembered)
        kept = frozenset(self.instance.get_dynamic_partitions("symbol"))
        return by_month(rows(remembered.months, self.rules, kept))


def by_month(found):
    return {(each.quality.symbol, str(each.quality.month)): each for each in found}


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


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(happenings, st.booleans()), min_size=6, max_size=16),
    st.sampled_from([-1.0, 120.0]),
    st.sampled_from([2, 1000]),
)
def test_reading_what_is_new_gives_what_reading_everything_gives(tmp_path_factory, steps, overlap, at_once):
    with (
        dg.DagsterInstance.ephemeral() as instance,
        mock.patch.object(month_reading, "OVERLAP", overlap),
        mock.patch.object(month_reading, "MOST_AT_ONCE", at_once),
        mock.patch.object(month_reading, "FEW", at_once),
    ):
        log = Log(instance, tmp_path_factory.mktemp("log"), FEW)
        for (name, *words), is_read in steps:
            getattr(log, name)(*words)
            if is_read:
                assert log.read() == log.read_all()
        assert log.read() == log.read_all()


# how a month stands


def test_a_failed_run_makes_a_row_with_its_sentence_also_over_an_earlier_file(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.ended("failed")
    log.planned("raw_1s", "2024-02|SPY")
    log.made("raw_1s", "2024-02|SPY")
    log.planned("raw_1s", "2024-02|SPY")
    log.ended("failed")

    first, second = (log.read()["SPY", month].quality for month in MONTHS)

    assert (first.status, first.why, first.rows) == (MonthStatus.FAILED, "The vendor was away.", None)
    assert (second.status, second.why, second.rows) == (MonthStatus.FAILED, "The vendor was away.", 7)


def test_a_month_made_again_after_it_failed_is_stored(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.ended("failed")
    log.read()
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")

    assert log.read()["SPY", "2024-01"].quality.status is MonthStatus.STORED


def test_what_was_asked_for_and_is_not_there_is_in_progress_then_missing_and_gone_with_its_symbol(log):
    log.planned("raw_1s", "2024-01|SPY")
    assert log.read()["SPY", "2024-01"].quality.status is MonthStatus.IN_PROGRESS

    log.ended("canceled")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.status, row.why, row.worst) == (MonthStatus.MISSING, None, None)

    log.symbol_removed("SPY")
    assert log.read() == {}


def test_an_aggregate_that_failed_fails_its_month_unless_errors_in_the_raw_file_held_it_back(log):
    for symbol, result in (("SPY", "passed"), ("QQQ", "error")):
        log.planned("aggregated/15s", f"2024-01|{symbol}")
        log.made("raw_1s", f"2024-01|{symbol}")
        log.evaluated("raw_1s", f"2024-01|{symbol}", result)
        log.ended("failed")

    found = {symbol: each.quality for (symbol, _), each in log.read().items()}

    assert (found["SPY"].status, found["SPY"].why) == (MonthStatus.FAILED, "The vendor was away.")
    assert (found["QQQ"].status, found["QQQ"].worst) == (MonthStatus.STORED, "error")
    assert found["QQQ"].stale == ("aggregated/15s is missing",)


def test_rules_are_counted_and_named_and_those_that_could_not_be_checked_are_not_judged(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|SPY")
    every = sum(len(rules) for check, rules in CHECKS.items() if check.asset_key == dg.AssetKey("raw_1s"))
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.worst) == (0, every, None)  # planned, and never evaluated

    log.evaluated("raw_1s", "2024-01|SPY", "warning")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.worst, row.is_checked) == (every, 0, "warn", True)
    assert row.failing == tuple(
        f"raw_1s: {rule}" for rule in ("readable", "no_missing_values", "not_empty", "spikes", "settled")
    )

    log.evaluated_again("raw_1s", "2024-01|SPY", "not judged")
    row = log.read()["SPY", "2024-01"].quality
    assert (row.judged, row.not_judged, row.failing, row.is_checked) == (every - 5, 5, (), False)


def test_an_evaluation_of_the_former_form_counts_as_its_rule(log):
    log.planned("raw_1s", "2024-01|SPY")
    log.made("raw_1s", "2024-01|QQQ")
    key = dg.AssetKey("raw_1s")
    [made] = log.instance.fetch_materializations(key, limit=1).records
    for rule, passed in (("ohlc_order", False), ("readable", True)):
        former = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=rule,
            passed=passed,
            partition="2024-01|QQQ",
            target_materialization_data=AssetCheckEvaluationTargetMaterializationData(
                storage_id=made.storage_id, run_id=made.run_id, timestamp=made.timestamp
            ),
        )
        log.tell(dg.DagsterEventType.ASSET_CHECK_EVALUATION, former, log.latest().run_id)

    row = log.read()["QQQ", "2024-01"].quality

    assert (row.failing, row.errors, row.judged, row.not_judged) == (("raw_1s: ohlc_order",), 1, 2, 0)


def test_each_month_of_a_run_of_several_has_its_own_sentence():
    failures = [Failure("2 failed", {"2024-01|SPY": "no such day", "2024-02|SPY": "key refused"})]

    assert sentence(failures, "2024-02|SPY") == "key refused"
    assert sentence(failures, "2024-01|SPY") == "no such day"
    assert sentence(failures, "2024-03|SPY") == "2 failed"
    assert sentence([Failure("x " * 300, {})], "x|Y").endswith("…")
    assert sentence([], "x|Y") == ""


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
    monkeypatch.setattr(month_reading.check_rows, "database", lambda instance: None)
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
    update, counts = month_reading.update, []
    monkeypatch.setattr(month_reading, "update", lambda *words: counts.append(update(*words)) or counts[-1])
    monkeypatch.setattr(month_reading, "OVERLAP", -1.0)
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
def test_what_is_remembered_is_not_believed_of_another_table_home_or_form(log, reads, spoil):
    spoil(log.folder / month_memory.PATH, log.folder / PATH)

    assert reads() == len(KEYS)
    assert log.read() == log.read_all()


def test_an_event_that_is_committed_late_is_read_though_later_ones_were_read_before(log, monkeypatch):
    log.planned("raw_1s", KEYS[0])
    log.made("raw_1s", KEYS[0])
    log.read()
    entries, late = month_reading._entries, []

    def not_committed(instance, after):
        yield from (each for each in entries(instance, after) if each[0] not in late)

    monkeypatch.setattr(month_reading, "_entries", not_committed)
    infos = month_reading._infos
    monkeypatch.setattr(
        month_reading, "_infos", lambda *words: (each for each in infos(*words) if each[2].event not in late)
    )
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
