"""What users add to `defs/`, and what `dg` and `dagster` then say; the example of own assets as a code location."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mohlcv_dagster
from mohlcv_dagster import defs
from mohlcv_dagster.definitions import scaffolded
from mohlcv_dagster.settings import SETTINGS

PACKAGE = Path(mohlcv_dagster.__file__).parent
PROJECT = PACKAGE.parent
KEYS = """
from mohlcv_dagster.definitions import defs
print(sorted(key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()))
"""
OURS = {"raw_1s", "aggregated/15s", "aggregated/30s", "aggregated/1min", "quality/coverage"}
AN_ASSET = "import dagster as dg\n\n\n@dg.asset\ndef {name}() -> None: ...\n"
DECORATED = """
import dagster as dg

@dg.asset
def decorated() -> None: ...

@dg.definitions
def more() -> dg.Definitions:
    return dg.Definitions(assets=[decorated])
"""


def test_the_modules_of_the_package_are_listed_so_that_none_is_taken_for_a_users():
    assert {path.stem for path in (PACKAGE / "defs").glob("*.py")} == defs.MODULES
    assert scaffolded() == []


def test_dg_lists_every_setting_as_an_environment_variable():
    told = yaml.safe_load((PACKAGE / "defs" / defs.ENVIRONMENT / "defs.yaml").read_text(encoding="utf-8"))
    assert told["requirements"]["env"] == [setting.variable for setting in SETTINGS]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project to which modules can be added."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(PACKAGE, folder / "mohlcv_dagster", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "workspace.yaml"):
        shutil.copy(PROJECT / name, folder)
    return folder


def call(folder, *words):
    """The output of a command of this environment in `folder`, whose packages come first."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "VIRTUAL_ENV": sys.prefix,
        "PYTHONPATH": str(folder),
        "DAGSTER_HOME": str(home),
        "MOHLCV_DATA_DIR": str(folder / "data"),
    }
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_modules_decorated_functions_and_folders_that_a_user_adds_are_loaded(project):
    mine = project / "mohlcv_dagster" / "defs"
    (mine / "mine").mkdir()
    added = {
        mine / "my_asset.py": AN_ASSET.format(name="my_asset"),
        mine / "decorated.py": DECORATED,
        mine / "mine" / "nested.py": AN_ASSET.format(name="nested"),
    }
    for path, text in added.items():
        path.write_text(text, encoding="utf-8")
    keys = call(project, sys.executable, "-c", KEYS)
    for path in added:
        path.unlink()
    shutil.rmtree(mine / "mine")

    assert keys.strip() == str(sorted(OURS | {"my_asset", "decorated", "nested"}))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_dg_scaffolds_it_lists_checks_and_launches(project):
    pytest.importorskip("dagster_dg_cli", reason="dagster-dg-cli is not installed: uv sync")
    call(project, "dg", "scaffold", "defs", "dagster.asset", "my_asset.py")
    path = project / "mohlcv_dagster" / "defs" / "my_asset.py"
    path.write_text(AN_ASSET.format(name="my_asset"), encoding="utf-8")

    listed = json.loads(call(project, "dg", "list", "defs", "--json"))
    assert {each["asset_key"] for each in listed["assets"]} == OURS | {"my_asset"}
    assert "successfully" in call(project, "dg", "check", "defs")
    assert "environment" in call(project, "dg", "list", "component-tree")
    assert "MOHLCV_DATA_DIR" in call(project, "dg", "list", "envs")
    call(project, "dg", "launch", "--assets", "my_asset")
    path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_example_of_own_assets_is_a_code_location(tmp_path):
    shutil.copytree(PROJECT / "docs" / "examples" / "my_bars", tmp_path / "my_bars")
    (tmp_path / "workspace.yaml").write_text("load_from:\n  - python_module: my_bars.definitions\n", encoding="utf-8")
    (tmp_path / "data" / "raw_1s" / "SPY").mkdir(parents=True)
    bars = "ts_event,open,high,low,close,volume\n2024-01-02 14:30:00+00:00,475.3,475.4,475.2,475.3,100\n"
    (tmp_path / "data" / "raw_1s" / "SPY" / "SPY_2024_01.csv").write_text(bars, encoding="utf-8")

    call(tmp_path, "dagster", "definitions", "validate", "-m", "my_bars.definitions")
    call(tmp_path, "dagster", "asset", "materialize", "-m", "my_bars.definitions", "--select", "busiest_seconds")
    assert (tmp_path / "data" / "mine" / "bars.duckdb").exists()
