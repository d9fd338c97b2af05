"""The cached states of checks are Dagster's own, whatever happened: named situations in turn, and random histories."""

import logging
import random

import dagster as dg
import pytest

from mohlcv_dagster_tests.dagster_patches.compared import RAW, SYMBOLS, Run, make, on_sqlite, report
from mohlcv_dagster_tests.dagster_patches.situations import IN_TURN
from mohlcv_dagster_tests.dagster_patches.storages import SQLITE, AtOnce, Forgetting, OverDagsters

pytestmark = pytest.mark.slow

FIFTEEN = dg.AssetKey(["aggregated", "15s"])
MONTHS = [f"2024-{month:02d}" for month in range(1, 4)]


@pytest.fixture(autouse=True, scope="module")
def _quiet():
    logging.disable(logging.ERROR)  # runs that are told to fail say so
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture(scope="module")
def instances(tmp_path_factory):
    """One history, which the situations go on with in turn."""
    instances = on_sqlite(tmp_path_factory.mktemp("compared"), SQLITE)
    yield instances
    instances.dispose()


@pytest.mark.parametrize("situation", IN_TURN, ids=lambda situation: situation.__name__)
def test_the_answers_are_dagsters_own_after(situation, instances):
    situation(instances)
    assert not instances.differences()


class Chance:
    """Things that happen to a history, as a random number has it."""

    def __init__(self, instances, seed):
        self.random = random.Random(seed)  # noqa: S311 - the same history for the same seed
        self.instances, self.runs, self.told = instances, [], []

    def go_on(self):
        happens = self.random.choice(
            [
                self.make,
                self.make,
                self.begin,
                self.begin,
                self.end,
                self.delete,
                self.report,
                self.symbol,
                self.wipe,
                self.renew,
            ]
        )
        self.told.append(happens.__name__)
        happens()

    @property
    def instance(self):
        return self.random.choice([self.instances.stock, *self.instances.ours.values()])

    def partition(self):
        return f"{self.random.choice(MONTHS)}|{self.random.choice(SYMBOLS[:3])}"

    def assets(self):
        return self.random.sample([RAW, FIFTEEN], self.random.randint(1, 2))

    def failing(self):
        return self.random.sample(["intact", "valid", "matches_raw"], self.random.randint(0, 2))

    def make(self):
        self.runs.append(make(self.instance, self.partition(), self.failing(), self.assets()))

    def begin(self):
        run = Run(self.instance, self.partition(), self.assets()).plan()
        if self.random.random() < 0.5:
            run.materialize()
        if self.random.random() < 0.3:
            run.evaluate(self.failing(), names=["intact"])
        self.runs.append(run)

    def end(self):
        if self.runs:
            getattr(self.random.choice(self.runs), self.random.choice(["succeed", "fail", "cancel", "evaluate"]))()

    def delete(self):
        if self.runs:
            run = self.runs.pop(self.random.choice([-1, -1, 0]))
            self.instance.delete_run(run.id)

    def report(self):
        report(self.instance, "intact", self.partition(), passed=self.random.random() < 0.5)

    def symbol(self):
        change = self.random.choice(["add", "delete"])
        if change == "add":
            self.instance.add_dynamic_partitions("symbol", SYMBOLS[:3])
        else:
            self.instance.delete_dynamic_partition("symbol", self.random.choice(SYMBOLS[:3]))

    def wipe(self):
        if self.random.random() < 0.3:
            self.instance.wipe_assets([self.random.choice([RAW, FIFTEEN])])

    def renew(self):
        self.instances.renew()


@pytest.mark.parametrize("seed", range(1, 9))
def test_whatever_happens_the_answers_are_dagsters_own(seed, tmp_path):
    instances = on_sqlite(tmp_path, [AtOnce, OverDagsters] if seed % 2 else [AtOnce, Forgetting])
    instances.stock.add_dynamic_partitions("symbol", SYMBOLS[:3])
    chance = Chance(instances, seed)
    for _ in range(25 if seed < 3 else 80):
        chance.go_on()
        assert not instances.differences(), chance.told
    instances.dispose()
