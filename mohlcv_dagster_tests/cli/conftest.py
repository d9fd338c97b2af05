"""A project folder of its own, the command as a person calls it, and a small market to fetch from."""

import shutil
from dataclasses import dataclass

import dagster as dg
import pytest

from mohlcv_dagster import cli
from mohlcv_dagster.cli.homes import configuration
from mohlcv_dagster.sandbox import Replayed, Sandbox
from mohlcv_dagster_tests.defs.quiet_market import recorded


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


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    """Bars of ABC in January 2024, replayed."""
    return Replayed(recorded(tmp_path_factory.mktemp("recorded")))


@pytest.fixture
def vendor(market, monkeypatch):
    """A stand-in for the vendor that the command's settings lead to."""
    with Sandbox(market) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        yield sandbox
