"""An event log in which a test makes things happen to months, and the quality table read from it. No test."""

import itertools

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import AssetMaterializationPlannedData, StepMaterializationData

from mohlcv_dagster.defs import quality_events, quality_history
from mohlcv_dagster.defs.quality_rows import CheckedAssets, rows
from mohlcv_dagster.defs.quality_step import QualityReader
from mohlcv_dagster.model.quality_rows import PATH
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster_tests.defs.twelve_checks import AGGREGATES, CHECKS, PARTITIONS, Said, evaluation

RULES = CheckedAssets(AGGREGATES, CHECKS)
ASSETS = ("raw_1s", "aggregated/1min")
_NAMES = {("raw_1s", "valid"), ("aggregated/1min", "matches_raw")}
FEW = CheckedAssets(
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

    def made(self, asset, partition, digest="one", **more):
        """The latest run makes the file; `more` is recorded with it."""
        run = self.latest()
        key = dg.AssetKey.from_user_string(asset)
        facts = {"sha256" if asset == "raw_1s" else "raw_sha256": digest, "dagster/partition_row_count": 7, **more}
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
        """The rows of a reading of what is new; it is stored as by the quality asset."""
        reader = QualityReader(self.instance, self.archive, self.rules)
        found = reader.read()
        self.table += 1
        written = self.archive.write_path(PATH, str(self.table).encode())
        own = self.instance.add_run(dg.DagsterRun("quality", status=dg.DagsterRunStatus.SUCCESS))
        # as a run does at its end, so that no number of an event is given twice
        self.tell(dg.DagsterEventType.RUN_SUCCESS, None, own.run_id)
        reader.save(own.run_id, written.sha256)
        return by_month(found)

    def read_all(self):
        """The rows of a reading of everything."""
        history = quality_events.History()
        quality_history.update(self.instance, self.rules.assets, self.rules.checks, history)
        kept = frozenset(self.instance.get_dynamic_partitions("symbol"))
        return by_month(rows(history.months, self.rules, kept))


def by_month(found):
    return {(each.quality.symbol, str(each.quality.month)): each for each in found}
