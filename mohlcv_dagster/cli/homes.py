"""Where Dagster remembers: one home for real bars, one for the sandbox's, so that the two never stand side by side.

::

    .mohlcv/home/               what is known of the files in the data folder
    .mohlcv/sandbox/home/       what is known of the files in .mohlcv/sandbox/data/

`DAGSTER_HOME` and `MOHLCV_DATA_DIR` win over the first of these places. The sandbox's are its own whatever they say:
a variable exported for real bars must not lead synthetic ones to them.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import dotenv

from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.settings import API_KEY, BASE_URL, CALENDAR, DATA_DIR, Settings

DAGSTER_HOME: Final = "DAGSTER_HOME"
OWN_FOLDER: Final = ".mohlcv"
SANDBOX_KEY: Final = "sandbox"

_DAGSTER_YAML: Final = """\
# Written once by mohlcv; change it as you like, it is not written again.
telemetry:
  enabled: false
nux:
  enabled: false
event_log_storage:
  # Dagster's own, with connections kept and what checks said remembered; without this entry it reads the same files
  module: mohlcv_dagster.dagster_patches.sqlite_event_log
  class: RememberingSqliteEventLogStorage
  config: {{}}
concurrency:
  runs:
    max_concurrent_runs: {runs}
  pools:
    granularity: op
    # the pool massive_api bounds the months fetched at once, over all runs
    default_limit: {fetches}
run_coordinator:
  # Dagster's own, whose daemon looks for backfills every 30 seconds, with one that looks more often
  module: mohlcv_dagster.dagster_patches.run_queue
  class: PromptRunCoordinator
  config:
    backfill_interval_seconds: 2
    # a quiet month takes a few seconds: by default the next one would wait for up to 5 more
    dequeue_interval_seconds: 1
    # a launch lasts as long as a process takes to start: without threads, runs start one after the other
    dequeue_use_threads: true
    dequeue_num_workers: {runs}
run_monitoring:
  enabled: true
  poll_interval_seconds: 5
  # a run that was killed keeps its place in the pool for ever unless it is taken back
  free_slots_after_run_end_seconds: 1
  # a run whose code server was killed with it (power cut) is called failed after this time, not never
  max_runtime_seconds: 21600
"""


def configuration() -> str:
    """The `dagster.yaml` of a new home on this machine.

    One run more than there are processors: while one waits for the vendor, the disk or its start, the others work.
    """
    runs = 1 + (os.cpu_count() or 1)
    return _DAGSTER_YAML.format(runs=runs, fetches=max(4, runs))


def project_root() -> Path:
    """The folder that everything relative is relative to: the nearest with a `workspace.yaml`, else the working one."""
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / "workspace.yaml").exists()), here)


@dataclass(frozen=True)
class Home:
    """A place where Dagster remembers, and the environment that its processes run in.

    Attributes:
        path: the folder; holds `dagster.yaml`.
        environment: every variable of the process, with those of the home set.
    """

    path: Path
    environment: Mapping[str, str]

    @classmethod
    def real(cls, root: Path) -> Self:
        """The home for bars of the vendor: `.env` of `root` is read, the shell's variables win over it.

        Raises:
            SettingsError: `.env` cannot be read.
        """
        environment = {**env_file(root), **os.environ}
        data_dir = environment.get(DATA_DIR.variable, "").strip() or DATA_DIR.default
        if "://" not in data_dir:
            environment[DATA_DIR.variable] = _placed(root, data_dir)
        if calendar := environment.get(CALENDAR.variable, "").strip():
            environment[CALENDAR.variable] = _placed(root, calendar)
        path = Path(environment.get(DAGSTER_HOME) or root / OWN_FOLDER / "home").expanduser().absolute()
        return cls(path, {**environment, DAGSTER_HOME: str(path)})

    @classmethod
    def sandboxed(cls, root: Path, url: str) -> Self:
        """The home for bars of the sandbox at `url`: `.env` is not read, files land in a folder of their own."""
        own = (root / OWN_FOLDER / "sandbox").absolute()
        places = {DATA_DIR.variable: str(own / "data"), BASE_URL.variable: url, API_KEY.variable: SANDBOX_KEY}
        places[CALENDAR.variable] = ""  # the sandbox trades on the exchange's own days
        return cls(own / "home", {**os.environ, **places, DAGSTER_HOME: str(own / "home")})

    @property
    def adopt_lock(self) -> Path:
        """The file that is locked while stored files are recorded: by one process at a time."""
        return self.path / "adopt.lock"

    def prepare(self) -> Self:
        """Make the folder and its `dagster.yaml` where they are absent, and put the environment in force.

        Raises:
            SettingsError: the folder cannot be written.
        """
        try:
            self._make()
        except OSError as error:
            raise SettingsError(
                f"Dagster's home {self.path} cannot be written: {error.strerror}; "
                f"set {DAGSTER_HOME} to a folder that can, or make room"
            ) from error
        os.environ.update(self.environment)
        return self

    def _make(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        yaml = self.path / "dagster.yaml"
        if not yaml.exists():
            yaml.write_text(configuration(), encoding="utf-8")

    def settings(self) -> Settings:
        """The settings in this home.

        Raises:
            SettingsError: a variable has a value that cannot be meant.
        """
        return Settings.from_environment(self.environment)


def _placed(root: Path, name: str) -> str:
    """A file or folder as named in a setting, absolute."""
    # a shell leaves ~ alone within quotes and in .env: taken as it stands, it is a folder to fear
    return str((root / Path(name).expanduser()).absolute())


def env_file(root: Path) -> dict[str, str]:
    """The variables of the file `.env` in `root`; none where there is no file.

    Raises:
        SettingsError: it cannot be read.
    """
    file = root / ".env"
    try:  # with the mark that some editors of Windows put first, or without
        values = dotenv.dotenv_values(file, encoding="utf-8-sig")
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file} cannot be read ({error}): save it as plain text in UTF-8") from error
    return {name: value for name, value in values.items() if value is not None}
