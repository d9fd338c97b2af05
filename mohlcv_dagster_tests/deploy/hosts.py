"""Dagster on several hosts, started for real from the files of `deploy/celery`. No test.

PostgreSQL, Redis and an S3 store are processes on loopback. Each host has a name (a UTS namespace, where this user may
make one), a home of Dagster and a working directory of its own, and shares no folder with another.
"""

import json
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from mohlcv_dagster_tests import postgres
from mohlcv_dagster_tests.defs.served import LOCATION, Webserver, until
from mohlcv_dagster_tests.deploy.services import BUCKET, Process, Redis, Store
from mohlcv_dagster_tests.postgres import free_port

REPOSITORY = Path(__file__).parents[2]
FILES = REPOSITORY / "deploy/celery"
COMPOSE = yaml.safe_load((REPOSITORY / "deploy/compose.yaml").read_text())
_BIN = Path(sys.executable).parent

QUICK = {
    "run_coordinator": {"config": {"backfill_interval_seconds": 1}},
    "run_monitoring": {"poll_interval_seconds": 2, "free_slots_after_run_end_seconds": 1},
}
"""What tests change in `dagster.yaml`, so that they need not wait."""


def require():
    """Skip the test where something that the hosts need is not installed."""
    from mohlcv_dagster_tests.deploy import services  # noqa: PLC0415 - beside `postgres.require`

    postgres.require()
    services.require()


@cache
def _can_name_hosts():
    words = ["unshare", "--uts", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(words, capture_output=True, check=False).returncode == 0


def _on(name, words):
    """The command line that runs `words` on a host of this name."""
    if not _can_name_hosts():
        return words
    return ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name, *words]


def merged(settings, changes):
    """`settings` with `changes`, block by block."""
    both = {**settings, **changes}
    for name in settings.keys() & changes.keys():
        if isinstance(changes[name], dict):
            both[name] = merged(settings[name], changes[name])
    return both


class Hosts:
    """All parts, started when entered and ended when left: `with Hosts(folder, vendor.url) as hosts: …`.

    Args:
        folder: an empty folder for everything.
        vendor: the address of the vendor, such as a `Sandbox`'s.
        workers: how many hosts with a worker.
        settings: further variables of every host, such as `MASSIVE_REQUESTS_PER_MINUTE`; `{redis}` in a value is the
            URL of Redis.
        changes: of `dagster.yaml`, on every host.

    Attributes:
        webserver: asked as the UI asks it.
        database: PostgreSQL, a `postgres.Postgres`.
        redis, store, code, daemon: processes.
        workers: the processes of the workers, in the order of their names `worker1`, `worker2` …
    """

    def __init__(self, folder, vendor, workers=2, *, settings=None, changes=None):
        self.folder, self._count = folder, workers
        self._settings = {
            "MASSIVE_API_KEY": "sandbox",
            "MASSIVE_BASE_URL": vendor,
            "MOHLCV_DATA_DIR": f"s3://{BUCKET}/bars",
            "MOHLCV_START": "2022-01",
            **(settings or {}),
        }
        runs = {"concurrency": {"runs": {"max_concurrent_runs": workers}}}
        told = yaml.safe_load((FILES / "dagster.yaml").read_text())
        self._configuration = merged(merged(merged(told, QUICK), runs), changes or {})
        self._stack = ExitStack()

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def _start(self):
        self.redis = self._ended(Redis(self.folder / "redis"))
        self.store = self._ended(Store(self.folder / "store"))
        address = urlsplit(f"postgresql+psycopg2://dagster@127.0.0.1:{free_port()}/dagster")
        self.database = self._stack.enter_context(postgres.postgres(self.folder / "postgres", address))
        self._variables = {
            "PATH": os.pathsep.join([str(_BIN), os.environ["PATH"]]),
            "DAGSTER_POSTGRES_URL": address.geturl(),
            "CELERY_BROKER_URL": self.redis.url,
            "CELERY_RESULT_BACKEND": self.redis.url,
            **self.store.variables,
            **{name: value.format(redis=self.redis.url) for name, value in self._settings.items()},
        }
        self._code_port = free_port()
        migrated = self._ended(self._service("migrate"))
        assert migrated.process.wait(120) == 0, migrated.tail()
        self.code = self._ended(self._code_server("code"))
        self._ask_code_server()
        port = free_port()
        self.ui = self._ended(self._service("webserver", port))
        self.daemon = self._ended(self._service("daemon"))
        self.workers = [self._ended(self._worker(f"worker{number + 1}")) for number in range(self._count)]
        self.webserver = Webserver(f"http://127.0.0.1:{port}")
        until(self.webserver.is_loaded, f"the webserver has loaded the code location: {self.folder}")
        for worker in self.workers:
            until(lambda log=worker.log: " ready." in log.read_text(), f"a worker is ready: {worker.log}")

    def _ended(self, process):
        self._stack.callback(process.end)
        return process

    def home(self, name):
        """Dagster's home on a host."""
        home = self.folder / name / "home"
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(yaml.safe_dump(self._configuration))
        return home

    def environment(self, name, **more):
        """The variables of a host."""
        return {**self._variables, "HOME": str(self.folder / name), "DAGSTER_HOME": str(self.home(name)), **more}

    def _host(self, name, words, **more):
        return Process(self.folder / name, _on(name, words), self.environment(name, **more))

    def _service(self, name, port=None):
        """A host with a service of the compose file: its command, its variables."""
        here = {"/opt/mohlcv/workspace.yaml": self._workspace(name), "0.0.0.0": "127.0.0.1", "3000": port}  # noqa: S104 - the file's
        own = COMPOSE["services"][name].get("environment", {})
        more = {key: own[key] for key in own.keys() - COMPOSE["x-dagster"]["environment"].keys()}
        return self._host(name, [here.get(word, word) for word in COMPOSE["services"][name]["command"]], **more)

    def _worker(self, name):
        # in the image too they are beside each other in a folder of their own
        return self._host(name, [sys.executable, FILES / "worker.py", "--loglevel", "INFO"])

    def _code_server(self, name, **more):
        at = ["-h", "127.0.0.1", "-p", self._code_port]
        return self._host(name, ["dagster", "api", "grpc", "-m", LOCATION, *at], **more)

    def _workspace(self, name):
        served = yaml.safe_load((FILES / "workspace.yaml").read_text())
        [location] = served["load_from"]
        location["grpc_server"] |= {"host": "127.0.0.1", "port": self._code_port}
        file = self.home(name).parent / "workspace.yaml"
        file.write_text(json.dumps(served))
        return file

    def _ask_code_server(self):
        words = [_BIN / "dagster", "api", "grpc-health-check", "-p", str(self._code_port)]
        until(
            lambda: subprocess.run(words, capture_output=True, check=False).returncode == 0, "the code server answers"
        )

    def replace_code_server(self, package):
        """Another version of the code in place of the one that is served: `package` is a folder that holds it."""
        self.code.end()
        self.code = self._ended(self._code_server("newer", PYTHONPATH=str(package)))
        self._ask_code_server()

    @contextmanager
    def database_restarted(self):
        """The database is away while the block lasts; open connections are cut."""
        self.database.stop(immediately=True)
        yield
        self.database.start()

    def query(self, statement):
        """The rows of a statement on the database, each a list of texts."""
        address = urlsplit(self._variables["DAGSTER_POSTGRES_URL"])
        words = ["psql", *self.database.at, "-U", address.username, address.path[1:], "-AtF", "\t", "-c", statement]
        done = subprocess.run(words, capture_output=True, text=True, check=True, cwd="/")
        return [line.split("\t") for line in done.stdout.splitlines()]
