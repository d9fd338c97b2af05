"""One history with two kinds of readers: Dagster's own storage, and ours; what each answers of the twelve checks."""

import contextlib
import uuid

import dagster as dg
import yaml
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.instance.types import CachingDynamicPartitionsLoader

from mohlcv_dagster_tests.dagster_patches.twelve_checks import CHECKS, KEYS, PARTITIONS

RAW = dg.AssetKey("raw_1s")
SYMBOLS = [f"S{letter}" for letter in "ABCDEFGHIJKLMNOPQRST"]


class Instances:
    """Instances of Dagster on one database.

    Attributes:
        stock: with Dagster's own storage.
        ours: with storages of ours, by name.
    """

    def __init__(self, folder, own, storages):
        self._folder, self._own, self._storages = folder, own, {each.__name__: each for each in storages}
        self.stock = self._open("stock", {})
        self.ours = {name: self.fresh(name) for name in self._storages}

    def fresh(self, name):
        """Another process' view, with nothing in memory."""
        kind = self._storages[name]
        config = self._own["event_log_storage"]["config"]
        return self._open(name, {"module": kind.__module__, "class": kind.__name__, "config": config})

    def renew(self):
        for name, instance in self.ours.items():
            instance.dispose()
            self.ours[name] = self.fresh(name)

    def _open(self, name, storage):
        home = self._folder / name
        home.mkdir(exist_ok=True)
        content = {"telemetry": {"enabled": False}, **self._own}
        content["event_log_storage"] = {**self._own["event_log_storage"], **storage}
        (home / "dagster.yaml").write_text(yaml.safe_dump(content))
        return dg.DagsterInstance.from_config(str(home))

    def dispose(self):
        for each in (self.stock, *self.ours.values()):
            each.dispose()

    def differences(self):
        """What any of ours answers otherwise than Dagster's own: nothing."""
        right = answers(self.stock)
        return {
            f"{name} of {key.to_user_string()}": (right[key], said)
            for name, instance in self.ours.items()
            for key, said in answers(instance).items()
            if said != right[key]
        }


def on_sqlite(folder, storages):
    classes = {"run_storage": ("runs", "SqliteRunStorage"), "schedule_storage": ("schedules", "SqliteScheduleStorage")}
    own = {
        block: {"module": f"dagster._core.storage.{module}", "class": name, "config": {"base_dir": str(folder / block)}}
        for block, (module, name) in {**classes, "event_log_storage": ("event_log", "SqliteEventLogStorage")}.items()
    }
    return Instances(folder, own, storages)


def on_postgres(folder, url, storages):
    kinds = {"run_storage": "Run", "event_log_storage": "EventLog", "schedule_storage": "Schedule"}
    own = {
        block: {
            "module": "dagster_postgres",
            "class": f"Postgres{kind}Storage",
            "config": {"postgres_url": url},
        }
        for block, kind in kinds.items()
    }
    return Instances(folder, own, storages)


def answers(instance, keys=KEYS):
    """The partitions by status, and by run in progress, of each check, as an instance says it."""
    with partition_loading_context(dynamic_partitions_store=CachingDynamicPartitionsLoader(instance)):
        states = instance.event_log_storage.get_asset_check_state(keys)
    return {
        key: (
            {status.value: set(subset.value.get_partition_keys()) for status, subset in state.subsets.items()},
            {run: set(subset.value.get_partition_keys()) for run, subset in state.in_progress_runs.items()},
        )
        for key, state in states.items()
    }


class Run:
    """A run whose events are told one by one, as Dagster's executor would."""

    def __init__(self, instance, partition, assets=(RAW,)):
        self.id, self.partition, self.assets, self._instance = str(uuid.uuid4()), partition, assets, instance
        tags = {"dagster/partition": partition}
        self.dagster_run = dg.DagsterRun("job", self.id, tags=tags, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(self.dagster_run)

    def tell(self, kind, data, asset=None):
        kind = getattr(dg.DagsterEventType, kind).value
        self._instance.report_dagster_event(DagsterEvent(kind, "job", event_specific_data=data), self.id)

    def plan(self, names=None):
        subset = PARTITIONS.empty_subset().with_partition_keys([self.partition])
        for asset in self.assets:
            for name in names or CHECKS[asset]:
                planned = AssetCheckEvaluationPlanned(asset_key=asset, check_name=name, partitions_subset=subset)
                self.tell("ASSET_CHECK_EVALUATION_PLANNED", planned)
        return self

    def materialize(self):
        for asset in self.assets:
            made = StepMaterializationData(dg.AssetMaterialization(asset, partition=self.partition), [])
            self.tell("ASSET_MATERIALIZATION", made)
        return self

    def evaluate(self, failing=(), names=None, instance=None):
        for asset in self.assets:
            target = latest(self._instance, asset, self.partition)
            for name in names or CHECKS[asset]:
                evaluation = AssetCheckEvaluation(
                    asset_key=asset,
                    check_name=name,
                    passed=name not in failing,
                    metadata={},
                    partition=self.partition,
                    target_materialization_data=target,
                )
                self.tell("ASSET_CHECK_EVALUATION", evaluation)
        return self

    def succeed(self):
        self.tell("PIPELINE_SUCCESS", None)
        return self

    def fail(self):
        self._instance.report_run_failed(self.dagster_run)
        return self

    def cancel(self):
        self._instance.report_run_canceled(self.dagster_run)
        return self


def latest(instance, asset, partition):
    """What an evaluation is told of the materialization that it is of; `None` where there is none."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset, asset_partitions=[partition]), limit=1
    ).records
    for record in records:
        return AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
    return None


def make(instance, partition, failing=(), assets=(RAW,)):
    """A run that makes a partition and evaluates its checks."""
    return Run(instance, partition, assets).plan().materialize().evaluate(failing).succeed()


def report(instance, name, partition, *, passed, asset=RAW):
    """An evaluation reported by hand, with no run. A second one of the same check and partition is refused."""
    evaluation = AssetCheckEvaluation(asset_key=asset, check_name=name, passed=passed, metadata={}, partition=partition)
    with contextlib.suppress(Exception):
        instance.report_runless_asset_event(evaluation)
