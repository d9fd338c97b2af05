"""Dagster's home, which remembers runs, and the folders that a command works on.

There is one home for real bars and one for the sandbox's, so that the two are never mixed::

    .mohlcv/home/               remembers the files in the data folder
    .mohlcv/sandbox/home/       remembers the files in .mohlcv/sandbox/data/

`DAGSTER_HOME` and `MOHLCV_DATA_DIR` move the first of them. They never move the second: a variable exported for real
bars must not mix synthetic ones with them.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from mohlcv_dagster.cli import home_creation
from mohlcv_dagster.cli.help_text import tell
from mohlcv_dagster.errors import SettingsError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import exposure, project_environment, read_env_file
from mohlcv_dagster.settings import API_KEY, BASE_URL, CALENDAR, DATA_DIR, LIMIT_STORE, Settings

if TYPE_CHECKING:
    import dagster as dg

    from mohlcv_dagster.defs.resources import ArchiveResource
    from mohlcv_dagster.model.timeframes import Timeframe
    from mohlcv_dagster.storage.archive import Archive
    from mohlcv_dagster.storage.inventory import BarFolder
    from mohlcv_dagster.validation.folder_check import FileRecord, RecordLookup

DAGSTER_HOME: Final = "DAGSTER_HOME"
OWN_FOLDER: Final = ".mohlcv"
SANDBOX_KEY: Final = "sandbox"
_IN_URLS: Final = "%?"
"""What SQLAlchemy, Alembic or SQLite reads as something else in the URL of a file."""
_OTHER_HOME: Final = f"set {DAGSTER_HOME} to another folder, or rename this one"


@contextmanager
def open_instance(*, keep_outputs: bool = False) -> "Iterator[dg.DagsterInstance]":
    """Open the instance of `DAGSTER_HOME`, for runs in this process: their output stays on the terminal.

    Args:
        keep_outputs: write the outputs of runs to files, as `dagster.yaml` defines.

    Raises:
        HomeError: it does not open, or its databases fail in the block.
    """
    from mohlcv_dagster.dagster_patches import home_databases, home_errors  # noqa: PLC0415 - it loads Dagster

    home = Path(os.environ[DAGSTER_HOME])
    with home_errors.explained(home), home_databases.opened(home, keep_outputs=keep_outputs) as instance:
        yield instance


@dataclass(frozen=True)
class Home:
    """A home of Dagster, and the environment that its processes run in.

    Attributes:
        path: the folder; holds `dagster.yaml`.
        environment: every variable of the process, with those of the home set.
    """

    path: Path
    environment: Mapping[str, str]

    @classmethod
    def real(cls, root: Path, *, warn: bool = True) -> Self:
        """The home for bars of the vendor: `.env` of `root` is read, the shell's variables win over it.

        Args:
            root: the project's folder.
            warn: whether it is said, once, that other users can read or change `.env`.

        Raises:
            SettingsError: `.env` cannot be read.
        """
        own = read_env_file(root)
        environment = project_environment(root, own)
        if warn and (exposed := exposure(root, own)):
            _warn_once(exposed)
        path = Path(environment.get(DAGSTER_HOME) or root / OWN_FOLDER / "home").expanduser().absolute()
        return cls(path, {**environment, DAGSTER_HOME: str(path)})

    @classmethod
    def sandboxed(cls, root: Path, url: str) -> Self:
        """The home for bars of the sandbox at `url`: `.env` is not read, files go to a folder of their own."""
        own = (root / OWN_FOLDER / "sandbox").absolute()
        variables = {DATA_DIR.variable: str(own / "data"), BASE_URL.variable: url, API_KEY.variable: SANDBOX_KEY}
        variables[CALENDAR.variable] = ""  # the sandbox trades on the exchange's own days
        variables[LIMIT_STORE.variable] = ""  # and counts for no account of the vendor
        return cls(own / "home", {**os.environ, **variables, DAGSTER_HOME: str(own / "home")})

    @property
    def up_lock(self) -> Path:
        """The file that `mohlcv up` locks while it runs: two daemons on one home would launch every backfill twice."""
        return self.path / "up.lock"

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return (self.path / "dagster.yaml").exists()

    def prepare(self) -> Self:
        """Make the home where it is absent or half made, and set the variables of this process.

        Raises:
            SettingsError: its path cannot be used, or it cannot be written.
            HomeError: its databases could not be made.
        """
        self.require_usable_path()
        try:
            home_creation.create(self.path)
        except OSError as error:
            raise SettingsError(
                f"Dagster's home {self.path} cannot be written: {error.strerror}; "
                f"set {DAGSTER_HOME} to a folder that can be written, or free space"
            ) from error
        os.environ.update(self.environment)
        return self

    def require_usable_path(self) -> None:
        """Refuse a path that is no folder, and one that Dagster would not find again.

        Raises:
            SettingsError: such a path.
        """
        if not (found := nearest_existing(self.path)).is_dir():
            why = f"cannot be written: {found} is not a folder"
        elif signs := [sign for sign in _IN_URLS if sign in str(self.path)]:
            why = f"has {' and '.join(signs)} in its path, under which Dagster cannot open its databases"
        else:
            return
        raise SettingsError(f"Dagster's home {self.path} {why}; {_OTHER_HOME}")

    @contextmanager
    def instance(self) -> "Iterator[dg.DagsterInstance]":
        """Open its Dagster instance; it is made where it is absent."""
        self.prepare()
        with open_instance() as instance:
            yield instance

    @contextmanager
    def instance_if_made(self) -> "Iterator[dg.DagsterInstance | None]":
        """Open its Dagster instance; `None`, and nothing is made, where there is none. Dagster is not loaded then."""
        self.require_usable_path()
        if not self.exists:
            yield None
            return
        with self.instance() as instance:
            yield instance

    @contextmanager
    def recording_lock(self, wait: float = 0.0) -> Iterator[None]:
        """Hold the lock for recording stored files: only one recording may be open on a home.

        Args:
            wait: seconds to wait for another process.

        Raises:
            SettingsError: another process holds it.
        """
        from filelock import FileLock, Timeout  # noqa: PLC0415 - it takes its time to load

        try:
            with FileLock(self.path / "adopt.lock", timeout=wait):
                yield
        except Timeout as error:
            raise SettingsError(f"`mohlcv adopt` is running on {self.path}: wait until it is done") from error

    def settings(self) -> Settings:
        """The settings in this home.

        Raises:
            SettingsError: a variable is invalid.
        """
        return Settings.from_environment(self.environment)


@cache
def _warn_once(message: str) -> None:
    tell(f"mohlcv: {message}")


@dataclass(frozen=True)
class Paths:
    """Where the files of a command are.

    Attributes:
        data_dir: the project's data folder or URL.
        raw_dir: the folder of raw files, where it is another than the project's.
        aggregated_dir: the folder of the timeframes' folders, where it is another than the project's.
    """

    data_dir: str
    raw_dir: str | None = None
    aggregated_dir: str | None = None

    @classmethod
    def of(cls, settings: Settings, raw_dir: str | None = None, aggregated_dir: str | None = None) -> Self:
        """The paths that options name; one that is the project's own, in any spelling, becomes `None`.

        Raises:
            InputError: one is a URL of a store that is unknown or not installed.
        """
        own, given = cls(settings.data_dir).archive(), cls(settings.data_dir, raw_dir, aggregated_dir).archive()
        return cls(
            settings.data_dir,
            None if _is_same(own.raw, given.raw) else raw_dir,
            None if _is_same(own.aggregated, given.aggregated) else aggregated_dir,
        )

    @property
    def are_own(self) -> bool:
        """Whether all are the project's own: a home remembers the files of its own data folder only."""
        return self.raw_dir is None and self.aggregated_dir is None

    def require_writable(self, settings: Settings, symbols: "Iterable[str]", into: "Iterable[Timeframe]") -> None:
        """Refuse folders in which raw files of `symbols`, or aggregates of these timeframes, cannot be written.

        Raises:
            FileError: one of them.
        """
        from mohlcv_dagster.storage import writable  # noqa: PLC0415 - not for the help text

        files = [BarFile(symbol, RAW, settings.start) for symbol in symbols]
        files += [BarFile("any", timeframe, settings.start) for timeframe in into]
        writable.require_archive(self.archive(), files, parquet=settings.parquet, history=settings.history)

    def archive(self) -> "Archive":
        """The files."""
        from mohlcv_dagster.storage.archive import Archive  # noqa: PLC0415 - not for the help text

        return Archive(self.data_dir, self.raw_dir, self.aggregated_dir)

    def resource(self) -> "ArchiveResource":
        """The files, for Dagster."""
        from mohlcv_dagster.defs.resources import ArchiveResource  # noqa: PLC0415 - it loads Dagster

        return ArchiveResource(data_dir=self.data_dir, raw_dir=self.raw_dir, aggregated_dir=self.aggregated_dir)

    @contextmanager
    def instance(self) -> "Iterator[tuple[dg.DagsterInstance, Mapping[str, str]]]":
        """Open the instance for runs on these files, in a prepared home, and give the tags for the runs.

        Runs on other files than the project's are not remembered.
        """
        import dagster as dg  # noqa: PLC0415 - it takes its time to load

        from mohlcv_dagster.cli import crashed_runs  # noqa: PLC0415 - as above

        if not self.are_own:
            with dg.DagsterInstance.ephemeral() as instance:
                yield instance, {}
            return
        with open_instance() as instance, crashed_runs.command(instance, Path(os.environ[DAGSTER_HOME])) as tags:
            yield instance, tags


@contextmanager
def knowledge(home: Home, tree: "BarFolder") -> "Iterator[RecordLookup]":
    """Give a lookup of what `home` has recorded of the project's own files of `tree`; nothing for other files."""
    archive = Paths(home.settings().data_dir).archive()
    own = {file for file, at in tree.files.items() if _is_same(archive.path(file), at)}
    if not own:
        yield lambda _: None
        return
    with home.instance_if_made() as instance:
        yield lambda file: _known(instance, file) if instance is not None and file in own else None


def _known(instance: "dg.DagsterInstance", file: "BarFile") -> "FileRecord | None":
    from mohlcv_dagster.defs import check_runner, records  # noqa: PLC0415 - as above
    from mohlcv_dagster.validation.folder_check import FileRecord  # noqa: PLC0415 - as above

    record = records.latest(instance, file)
    if record is None:
        return None
    return FileRecord(record, check_runner.neighbours_of(instance, file, record) if file.timeframe == RAW else None)


def _is_same(one: object, other: object) -> bool:
    """Whether two paths or URLs are one, links followed."""
    if isinstance(one, Path) and isinstance(other, Path):
        return os.path.realpath(one) == os.path.realpath(other)  # resolve raises at a link that leads back to itself
    return str(one).rstrip("/") == str(other).rstrip("/")


def exists_visibly(path: Path) -> bool:
    """Whether `path` exists, as far as this user may know."""
    return os.path.exists(path)  # noqa: PTH110 - Path.exists raises where a folder above it may not be searched


def nearest_existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that exists."""
    return next(at for at in (folder, *folder.parents) if exists_visibly(at))
