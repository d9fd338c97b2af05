"""docs/deploy.md's backup and restore are followed literally, and what was there before is there again."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from mohlcv_dagster.cli.home_creation import configuration
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests import postgres
from mohlcv_dagster_tests.docs.blocks import REPOSITORY, blocks, commands
from mohlcv_dagster_tests.docs.conftest import QuietMarket

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MOHLCV = Path(sys.executable).with_name("mohlcv")
FETCH = [MOHLCV, "fetch", "--symbol", "SPY", "--start", "2024-01-01", "--end", "2024-02-29"]
PAGE = [block for block in blocks(REPOSITORY / "docs/deploy.md") if block.language == "bash"]
VERIFY = ["verify", "--json"]
PLAN = ["plan", "--symbol", "SPY", "--start", "2024-01-01", "--end", "2024-02-29"]


def told(*holding):
    """The commands of the one block of the page with all these words in it."""
    [block] = [block for block in PAGE if all(words in block.text for words in holding)]
    return [list(command.words) for command in commands(block)]


def run(words, folder, environment):
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def project(tmp_path):
    """An empty project, and an environment with the sandbox as vendor."""
    with Sandbox(QuietMarket()) as vendor:
        folder = tmp_path / "project"
        folder.mkdir()
        yield (
            folder,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "MASSIVE_BASE_URL": vendor.url,
                "MASSIVE_API_KEY": "sandbox",
            },
        )


def is_well(folder, environment):
    """What the page says to ask: verify has no difference, plan has nothing to download, nor has a fetch."""
    assert told("mohlcv verify", "mohlcv plan")[1][1:] == PLAN
    verified = json.loads(run([MOHLCV, *VERIFY], folder, environment))
    assert (verified["differences"], verified["files"]) == ([], 2)
    planned = json.loads(run([MOHLCV, *PLAN, "--json"], folder, environment))
    assert (planned["requests"]["fetch"]["most"], planned["partitions"]["all"]) == (0, 2)
    assert run(FETCH, folder, environment).endswith("0 downloaded, 2 skipped, 0 failed\n")


def bytes_of(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_home_in_sqlite_is_restored_with_its_files(project):
    folder, environment = project
    run(FETCH, folder, environment)
    before = bytes_of(folder / "data")
    for words in told("mkdir backup", "cp -a .mohlcv/home"):
        run(words, folder, environment)
    for each in ("data", ".mohlcv"):
        shutil.rmtree(folder / each)
    for words in told("cp -a backup/home"):
        run(words, folder, environment)

    assert bytes_of(folder / "data") == before
    is_well(folder, environment)


def test_records_in_postgres_are_restored_with_their_files(project, tmp_path):
    postgres.require()
    folder, environment = project
    address = urlsplit(f"postgresql+psycopg2://dagster@127.0.0.1:{postgres.free_port()}/dagster")
    environment |= {"DAGSTER_POSTGRES_URL": address.geturl(), "PGHOST": address.hostname, "PGUSER": "dagster"}
    environment["PGPORT"] = str(address.port)
    home = folder / ".mohlcv/home"
    home.mkdir(parents=True)
    celery = yaml.safe_load((REPOSITORY / "deploy/celery/dagster.yaml").read_text())
    kept = yaml.safe_load(configuration())
    del kept["event_log_storage"]
    (home / "dagster.yaml").write_text(yaml.safe_dump({**kept, "storage": celery["storage"]}))
    with postgres.postgres(tmp_path / "postgres", address):
        run(FETCH, folder, environment)
        before = bytes_of(folder / "data")
        for words in told("mkdir backup", "pg_dump"):
            run(words, folder, environment)
        shutil.rmtree(folder / "data")
        run(["dropdb", "dagster"], folder, environment)
        for words in told("createdb", "pg_restore"):
            run(words, folder, environment)

        assert bytes_of(folder / "data") == before
        is_well(folder, environment)
