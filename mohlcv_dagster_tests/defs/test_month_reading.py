"""Reading what is new gives what reading everything gives, whatever happened in between; and how months stand."""

import itertools
from unittest import mock

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.archive import Archive
from mohlcv_dagster.defs import month_reading
from mohlcv_dagster.defs.stored_months import Reader, Rules, rows
from mohlcv_dagster_tests.defs.twelve_checks import AGGREGATES, CHECKS, PARTITIONS, Said, evaluation

RULES = Rules(AGGREGATES, CHECKS)
ASSETS = ("raw_1s", "aggregated/15s", "aggregated/1min")
SYMBOLS, MONTHS = ("SPY", "QQQ"), ("2024-01", "2024-02")
KEYS = [f"{month}|{symbol}" for month, symbol in itertools.product(MONTHS, SYMBOLS)]


class Log:
    """An event log in which things happen, and the table made of it."""

    def __init__(self, instance, folder):
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
                "job", "step", dg._core.events.AssetMaterializationPlannedData(key, partition=partition)
            ),
            run.run_id,
        )
        subset = PARTITIONS.empty_subset().with_partition_keys([partition])
        for check in self.of(asset):
            planned = dg._core.events.AssetCheckEvaluationPlanned(
                asset_key=key, check_name=check.name, partitions_subset=subset
            )
            self.tell(dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED, planned, run.run_id)

    def made(self, asset, partition, digest="one"):
        """The latest run makes the file."""
        run = self.latest()
        key = dg.AssetKey.from_user_string(asset)
        facts = {"sha256" if asset == "raw_1s" else "raw_sha256": digest, "dagster/partition_row_count": 7}
        made = dg.AssetMaterialization(key, partition=partition, metadata=facts)
        data = dg._core.events.StepMaterializationData(made)
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
        """The latest run ends."""
        run = self.latest()
        if how == "failed":
            self.instance.report_run_failed(run, "The vendor was away.")
        else:
            self.instance.report_run_canceled(run)

    def wiped(self, asset):
        self.instance.wipe_assets([dg.AssetKey.from_user_string(asset)])

    def run_deleted(self, nth):
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

    @staticmethod
    def of(asset):
        return [check for check in CHECKS if check.asset_key.to_user_string() == asset]

    # what is read

    def read(self):
        """The rows of a reading of what is new; it is remembered as by the quality asset."""
        reader = Reader(self.instance, self.archive, RULES)
        found = reader.read()
        self.table += 1
        written = self.archive.write_beside(month_path(), str(self.table).encode())
        own = self.instance.add_run(dg.DagsterRun("quality", status=dg.DagsterRunStatus.SUCCESS))
        # as a run does at its end, so that no number of an event is given twice
        self.tell(dg.DagsterEventType.RUN_SUCCESS, None, own.run_id)
        reader.remember(own.run_id, written.sha256)
        return by_month(found)

    def read_all(self):
        """The rows of a reading of everything."""
        remembered = month_reading.Remembered()
        month_reading.update(self.instance, RULES.assets, RULES.checks, remembered)
        kept = frozenset(self.instance.get_dynamic_partitions("symbol"))
        return by_month(rows(remembered.months, RULES, kept))


def month_path():
    from mohlcv_dagster.bars.quality import PATH  # noqa: PLC0415

    return PATH


def by_month(found):
    return {(each.quality.symbol, str(each.quality.month)): each for each in found}


@pytest.fixture
def log(instance, tmp_path):
    return Log(instance, tmp_path)


assets, keys = st.sampled_from(ASSETS), st.sampled_from(KEYS)
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
    st.tuples(st.just("read")),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(happenings, min_size=5, max_size=30), st.sampled_from([0.0, 120.0]), st.sampled_from([2, 1000]))
def test_reading_what_is_new_gives_what_reading_everything_gives(tmp_path_factory, steps, overlap, at_once):
    with (
        dg.DagsterInstance.ephemeral() as instance,
        mock.patch.object(month_reading, "OVERLAP", overlap),
        mock.patch.object(month_reading, "MOST_AT_ONCE", at_once),
        mock.patch.object(month_reading, "FEW", at_once),
    ):
        log = Log(instance, tmp_path_factory.mktemp("log"))
        for name, *words in steps:
            getattr(log, name)(*words)
        new = log.read()
        assert new == log.read_all()
        assert log.read() == new
