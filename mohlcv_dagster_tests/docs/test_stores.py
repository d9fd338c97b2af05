"""docs/stores.md is followed literally, with an S3 and a PostgreSQL server on loopback."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import dotenv
import pytest
import yaml

from mohlcv_dagster.cli.home_creation import configuration
from mohlcv_dagster.sandbox import Sandbox
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE
from mohlcv_dagster_tests.docs.blocks import REPOSITORY, blocks, commands
from mohlcv_dagster_tests.docs.conftest import QuietMarket
from mohlcv_dagster_tests.postgres import free_port, postgres, require

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PAGE = blocks(REPOSITORY / "docs/stores.md")
MOHLCV = Path(sys.executable).with_name("mohlcv")
[FETCH, *_] = [
    words for block in PAGE if block.language == "bash" for words in commands(block) if "fetch" in words.words
]
STORED = "raw_1s/SPY/SPY_2024_01.csv"


def variables(holding):
    """The block for `.env` that sets this variable."""
    [told] = [block.text for block in PAGE if block.language == "ini" and holding in block.text]
    return told


@pytest.fixture
def project(tmp_path):
    """An empty project, and an environment with the sandbox as vendor."""
    with Sandbox(QuietMarket()) as sandbox:
        yield (
            tmp_path,
            {
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "MASSIVE_BASE_URL": sandbox.url,
                "MASSIVE_API_KEY": "sandbox",
            },
        )


def run(words, folder, environment):
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def bucket(project):
    """The project with an S3 on loopback that has an empty bucket."""
    pytest.importorskip("s3fs", reason="the package of the store is not installed: uv sync --group stores")
    moto = pytest.importorskip("moto.server", reason="no S3 to try it on: uv sync --group stores")
    folder, environment = project
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        s3 = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        environment |= {**s3, "AWS_ENDPOINT_URL": f"http://{host}:{port}"}
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST")).close()
        run([sys.executable, "-c", "import s3fs; s3fs.S3FileSystem().mkdir('bucket')"], folder, environment)
        yield folder, environment
    finally:
        server.stop()


VIEWED_IN_S3 = """
import duckdb
import mohlcv_dagster

connection = duckdb.connect()
mohlcv_dagster.duckdb_view(connection, "bars", data_dir="s3://bucket/bars")
print(*connection.execute("SELECT symbol, count(*) FROM bars GROUP BY ALL").fetchall())
"""


def test_the_archive_is_written_to_s3_and_read_from_there(bucket):
    folder, environment = bucket
    (folder / ".env").write_text(variables("MOHLCV_DATA_DIR"))
    said = run([MOHLCV, *FETCH.words[1:]], folder, environment)
    [code] = [block.text for block in PAGE if block.language == "python"]
    rows = run([sys.executable, "-c", code], folder, environment)
    viewed = run([sys.executable, "-c", VIEWED_IN_S3], folder, environment)
    again = run([MOHLCV, *FETCH.words[1:]], folder, environment)

    assert said.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert int(rows) == 21 * 13 * 2  # sessions of January 2024, half hours, bars
    assert viewed == f"('SPY', {int(rows)})\n"
    assert again.endswith("0 downloaded, 1 skipped, 0 failed\n")
    assert not (folder / "data").exists()


REPLACED_IN_S3 = """
from pathlib import Path
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.provenance import Replacement
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.history import VersionHistory
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE

archive, file = Archive("s3://bucket/bars"), BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
for content in (WHOLE, HEADER, WHOLE.replace(b"\\n", b"\\r\\n"), WHOLE):
    with VersionHistory(archive).replacing(file, [content], Replacement.FORCED) as kept:
        archive.write(file, kept)
"""


def test_former_versions_are_kept_in_s3_and_given_back_by_another_process(bucket):
    folder, environment = bucket
    (folder / ".env").write_text(variables("MOHLCV_DATA_DIR"))
    run([sys.executable, "-c", REPLACED_IN_S3], folder, environment)
    told = json.loads(run([MOHLCV, "history", "SPY", "2024-01", "--json"], folder, environment))["versions"]
    form = WHOLE.replace(b"\n", b"\r\n")
    for number, content in enumerate((WHOLE, HEADER, form, WHOLE)):
        words = ["--as-of", told[number]["superseded_at"] or datetime.now(UTC).isoformat(), "--output", "then.csv"]
        before = datetime.fromisoformat(words[1]) - datetime.resolution
        run([MOHLCV, "history", "SPY", "2024-01", *words[:1], before.isoformat(), *words[2:]], folder, environment)
        assert (folder / "then.csv").read_bytes() == content
    verified = subprocess.run(
        [MOHLCV, "verify", "--json"], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert {each["kind"] for each in json.loads(verified.stdout)["differences"]} == {"no entry"}


def moved(home, storage):
    """The home's own dagster.yaml with `storage` in place of its block `event_log_storage`."""
    kept = yaml.safe_load(home)
    assert kept.pop("event_log_storage")
    return yaml.safe_dump({**kept, **yaml.safe_load(storage)})


def test_dagster_stores_its_events_in_postgres(project, tmp_path):
    require()
    folder, environment = project
    told = variables("DAGSTER_POSTGRES_URL").replace(":5432/", f":{free_port()}/")
    (folder / ".env").write_text(told)
    address = urlsplit(dotenv.dotenv_values(folder / ".env")["DAGSTER_POSTGRES_URL"])
    home = folder / ".mohlcv/home"
    home.mkdir(parents=True)
    [storage] = [block.text for block in PAGE if block.language == "yaml"]
    (home / "dagster.yaml").write_text(moved(configuration(), storage))

    with postgres(tmp_path / "postgres", address) as server:
        said = run([MOHLCV, *FETCH.words[1:]], folder, environment)
        query = "SELECT partition FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION'"
        rows = run(["psql", *server.at, "-U", address.username, address.path[1:], "-Atc", query], folder, environment)
        again = run([MOHLCV, *FETCH.words[1:]], folder, environment)

    assert said.endswith("1 downloaded, 0 skipped, 0 failed\n")
    assert rows == "2024-01|SPY\n"
    assert again.endswith("SPY 2024-01  skipped: stored\n\n0 downloaded, 1 skipped, 0 failed\n")
    assert list(home.rglob("*.db")) == []
