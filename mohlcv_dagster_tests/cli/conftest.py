"""A project folder of its own, the command as a person calls it, and a small market to fetch from."""

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable

from mohlcv_dagster import cli
from mohlcv_dagster.cli.home_creation import configuration
from mohlcv_dagster.defs.partitions import partition_key
from mohlcv_dagster.sandbox import ReplayedMarket, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import recorded

RAW_KEY = dg.AssetKey("raw_1s")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project as the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def _new_home(tmp_path_factory):
    """A home whose databases are made: that takes Dagster a second or two."""
    home = tmp_path_factory.mktemp("new") / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(configuration())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            instance.get_dynamic_partitions("symbol")
    return home


@pytest.fixture
def home(project, _new_home):
    """The project's home, as a first command leaves it."""
    return shutil.copytree(_new_home, project / ".mohlcv" / "home")


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


@pytest.fixture
def mohlcv(project, capfd):
    """Call the command with these words, in this process."""

    def call(*words):
        capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["mohlcv", *words])
            with pytest.raises(SystemExit) as left:
                cli.main()
        out, err = capfd.readouterr()
        return Said(left.value.code, out, err)

    return call


@dataclass(frozen=True)
class Memory:
    """What the project's Dagster has recorded of raw months, and ways to change it behind the command's back."""

    home: Path

    @contextmanager
    def instance(self):
        with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(self.home))) as instance:
            yield instance

    def facts(self, file):
        """The metadata recorded when `file` was last written."""
        with self.instance() as instance:
            wanted = dg.AssetRecordsFilter(asset_key=RAW_KEY, asset_partitions=[partition_key(file.symbol, file.month)])
            [record] = instance.fetch_materializations(wanted, limit=1).records
            return record.asset_materialization.metadata

    def record(self, file, **facts):
        """Record `file` once more, with some facts changed, or left out where they are `None`."""
        both = {**self.facts(file), **facts}
        kept = {name: value for name, value in both.items() if value is not None}
        partition = partition_key(file.symbol, file.month)
        with self.instance() as instance:
            instance.report_runless_asset_event(dg.AssetMaterialization(RAW_KEY, partition=partition, metadata=kept))

    def forget(self, file):
        """Remove what was recorded of `file`, as if the process had been killed before it recorded it."""
        kinds = (dg.DagsterEventType.ASSET_MATERIALIZATION.value, dg.DagsterEventType.ASSET_CHECK_EVALUATION.value)
        partition = partition_key(file.symbol, file.month)
        with self.instance() as instance, instance.event_log_storage.index_connection() as connection:
            table, checks = SqlEventLogStorageTable, AssetCheckExecutionsTable
            connection.execute(
                table.delete().where(table.c.partition == partition, table.c.dagster_event_type.in_(kinds))
            )
            connection.execute(checks.delete().where(checks.c.partition == partition))


@pytest.fixture
def memory(home):
    return Memory(home)


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Bars of ABC in January 2024, replayed."""
    return ReplayedMarket(recorded(tmp_path_factory.mktemp("recorded")))


@pytest.fixture
def vendor(market, monkeypatch):
    """A stand-in for the vendor that the command's settings lead to."""
    with Sandbox(market) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        yield sandbox
