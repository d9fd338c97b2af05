"""`mohlcv adopt`: register the files of the data folder in Dagster: the command, its steps and its report."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from mohlcv_dagster.cli.arguments import Symbol
from mohlcv_dagster.cli.console import FAILED, OK, WARNED, json_option, open_console, print_json
from mohlcv_dagster.cli.dagster_home import Home, Paths
from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.formatting import quantity
from mohlcv_dagster.model.bar_files import BarFile, check_symbol
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.project import project_root
from mohlcv_dagster.settings import DATA_DIR, START, TIMEFRAMES, Settings

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console

    from mohlcv_dagster.defs.adoption import AdoptedFile, Adoption
    from mohlcv_dagster.defs.adoption_state import AdoptionState
    from mohlcv_dagster.storage.adoption_survey import Deviation
    from mohlcv_dagster.storage.archive import Archive
    from mohlcv_dagster.storage.manifest import Measured
    from mohlcv_dagster.storage.repair import RewriteJournal, Rewritten

T = TypeVar("T")


@click.command("adopt", short_help="Register CSV files that exist already.")
@click.argument("folder", metavar="[DIR]", required=False)
@click.option(
    "--symbol", "symbols", type=Symbol(), multiple=True, help="Only files of this symbol; give it again for more."
)
@click.option("--rewrite", is_flag=True, help="Repair in place what can be repaired without loss.")
@click.option("--dry-run", is_flag=True, help="Report what would be done; record and write nothing.")
@click.option("--accept-changed", is_flag=True, help="Accept files that differ from what was recorded, as they are.")
@json_option
def command(  # noqa: PLR0913 - one argument for each option
    folder: str | None, symbols: tuple[str, ...], *, rewrite: bool, dry_run: bool, accept_changed: bool, as_json: bool
) -> int:
    """Register the CSV files of the data folder, so that the UI shows them as partitions with their checks.

    Files of the original scripts and of the Databento sibling can be adopted. Reports where a file differs from the
    format. No file of bars is changed without --rewrite. Files that are registered already are left as they are: a
    second run does nothing. Exits with 1 when a file has faults. See docs/adopt.md.

    \b
    Examples:
      mohlcv adopt
      mohlcv adopt --symbol SPY --dry-run
      mohlcv adopt --rewrite
      MOHLCV_DATA_DIR=/srv/bars mohlcv adopt
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    for symbol in symbols:
        check_symbol(symbol)
    home = Home.real(project_root())
    settings = home.settings()
    _require_data_folder(folder, settings)
    report = AdoptionReport(dry_run=dry_run)
    console = open_console()
    with _instance(home, dry_run=dry_run) as instance, _status(console) as set_status:
        steps = _Steps(settings, instance, report, accept_changed, set_status)
        steps.adopt(frozenset(symbols), rewrite=rewrite)
    if as_json:
        print_json(report.document())
    else:
        report.show(console)
    return 1 if report.has_faults else 0


def _require_data_folder(folder: str | None, settings: Settings) -> None:
    """Refuse another folder than the project's own: partitions of it would name files that no command reads."""
    if folder is None or folder == settings.data_dir:
        return
    if "://" not in folder + settings.data_dir and Path(folder).resolve() == Path(settings.data_dir).resolve():
        return
    from mohlcv_dagster.storage.locations import resolve_path  # noqa: PLC0415 - not for the help text

    resolve_path(folder)  # refuses an address with a password, which would be quoted here
    raise InputError(
        f"{folder} is not the data folder of this project, which is {settings.data_dir}; no command would read the "
        f"files of its partitions. Set {DATA_DIR.variable}={folder} in .env to use them where they are, or copy them "
        "into the data folder and run this without DIR"
    )


@contextmanager
def _status(console: "Console") -> "Iterator[Callable[[str], None]]":
    """Give a function that shows the progress: a status line on a terminal, else nothing."""
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("starting") as status:
        yield status.update


@contextmanager
def _instance(home: Home, *, dry_run: bool) -> "Iterator[dg.DagsterInstance]":
    """The instance of the home; for a dry run without a home an empty one, so that none is made."""
    if dry_run and not home.exists:
        import dagster as dg  # noqa: PLC0415 - it takes its time to load: after the options were parsed

        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    with home.prepare().recording_lock(), home.instance() as instance:
        yield instance


@dataclass
class AdoptionReport:
    """The findings and what was done.

    Attributes:
        misnamed: files whose names are not the layout's.
        outside: files of the layout that have no partition here, each with the reason.
        rewritten: the outcome for files with faults that were to be repaired.
        entries: the outcome for each file.
    """

    dry_run: bool
    misnamed: "list[Deviation]" = field(default_factory=list)
    outside: dict[BarFile, str] = field(default_factory=dict)
    rewritten: "list[Rewritten]" = field(default_factory=list)
    entries: "list[AdoptedFile]" = field(default_factory=list)

    def refuse(self, unreadable: dict[BarFile, FileError]) -> None:
        """Add files that the disk does not give, each with the reason."""
        from mohlcv_dagster.defs.adoption import AdoptedFile  # noqa: PLC0415 - it loads Dagster

        self.entries.extend(AdoptedFile.unreadable(file, error) for file, error in unreadable.items())

    @property
    def has_faults(self) -> bool:
        """Whether a file has faults that are left, or failing checks."""
        refused = any(not each.done for each in self.rewritten)
        return bool(self.misnamed) or refused or any(entry.red or not entry.readable for entry in self.entries)

    def document(self) -> dict[str, object]:
        """All of it, for JSON."""
        return {
            "dry_run": self.dry_run,
            "files": [
                {
                    "path": str(entry.file.path),
                    "registered": entry.registered,
                    "evaluations": entry.evaluated,
                    "readable": entry.readable,
                    "faults": {str(each.fault): each.message for each in entry.deviations},
                    "failing checks": dict(entry.red),
                }
                for entry in self.entries
            ],
            "names": [asdict(each) for each in self.misnamed],
            "outside": {str(file.path): why for file, why in self.outside.items()},
            "rewritten": {str(each.file.path): each.message for each in self.rewritten if each.done},
            "refused": {str(each.file.path): each.message for each in self.rewritten if not each.done},
        }

    def show(self, console: "Console") -> None:
        """Print it, a line for each finding, and a summary."""
        from rich.markup import escape  # noqa: PLC0415 - it takes its time to load

        done = "would be rewritten" if self.dry_run else "rewritten"
        for each in self.rewritten:
            mark, what = (OK, done) if each.done else (FAILED, "not repaired")
            console.print(f"{mark} {escape(str(each.file.path))}  {what}: {escape(each.message)}")
        for other in self.misnamed:
            console.print(f"{FAILED} {escape(other.path)}  {other.fault}: {escape(other.message)}")
        for file, why in self.outside.items():
            console.print(f"- {escape(str(file.path))}  not registered: {escape(why)}")
        for entry in self.entries:
            _show_entry(console, entry)
        console.print(f"\n{self._summary()}")

    def _summary(self) -> str:
        entries = self.entries
        files = quantity(len(entries), "file")
        broken = sum(not entry.readable for entry in entries)
        if self.dry_run:
            faulty = sum(bool(entry.deviations) for entry in entries)
            return f"{files}: {faulty:,} with faults, {broken:,} of them unreadable. Nothing was recorded or written."
        red = sum(bool(entry.red) and entry.readable for entry in entries)
        passed = len(entries) - red - broken
        state = f"{passed:,} passed, {red:,} with failing checks, {broken:,} unreadable and not registered"
        if not any(entry.is_news for entry in entries) and not any(each.done for each in self.rewritten):
            return f"{files}: {state}. Nothing to do: everything that can be is already registered."
        new = sum(entry.registered for entry in entries)
        evaluated = sum(entry.evaluated for entry in entries)
        return f"{files}: {state}. {new:,} registered now, {quantity(evaluated, 'check result')} recorded."


def _measured(archive: "Archive", file: BarFile) -> "Measured | FileError":
    """A file as it is, or why the disk does not give it: the others are adopted all the same."""
    from mohlcv_dagster.storage.manifest import measure  # noqa: PLC0415 - not for the help text

    try:
        return measure(archive.path(file))
    except FileError as error:
        return error


def _fetch_again(file: BarFile) -> str:
    """The command that replaces a file, its raw month first where it is an aggregate."""
    return f"mohlcv fetch --symbol {file.symbol} --start {file.month} --end {file.month} --resample --force"


def _show_entry(console: "Console", entry: "AdoptedFile") -> None:
    from rich.markup import escape  # noqa: PLC0415 - it takes its time to load

    path = escape(str(entry.file.path))
    mark = FAILED if entry.red or not entry.readable else WARNED
    for each in entry.deviations:
        console.print(f"{mark} {path}  {each.fault}: {escape(each.message)}")
    if not entry.readable:
        console.print(f"    it is not registered as it is: correct it, or fetch it again: {_fetch_again(entry.file)}")
    elif entry.red:
        console.print(f"{FAILED} {path}  failing: {escape(', '.join(entry.red))}")
        if not entry.deviations:
            for message in entry.red.values():
                console.print(f"    {escape(message)}")


@dataclass(frozen=True)
class _Steps:
    """The steps, which add what they find and do to the report."""

    settings: Settings
    instance: "dg.DagsterInstance"
    report: AdoptionReport
    accept_changed: bool
    set_status: Callable[[str], None]

    def adopt(self, symbols: frozenset[str], *, rewrite: bool) -> None:
        """Measure, repair (with `rewrite`), record and check the files of these symbols; of all where none is named."""
        from mohlcv_dagster.bars.runtime import map_in_order  # noqa: PLC0415 - as above
        from mohlcv_dagster.defs.adoption import Adoption  # noqa: PLC0415 - as above
        from mohlcv_dagster.defs.adoption_state import AdoptionState  # noqa: PLC0415 - as above
        from mohlcv_dagster.settings import apply_calendar  # noqa: PLC0415 - not for the help text
        from mohlcv_dagster.storage import adoption_survey  # noqa: PLC0415 - as above
        from mohlcv_dagster.storage.reader import BarReader  # noqa: PLC0415 - as above
        from mohlcv_dagster.storage.repair import RewriteJournal  # noqa: PLC0415 - as above

        apply_calendar(self.settings)
        archive = Paths(self.settings.data_dir).archive()
        tree = adoption_survey.survey(archive, symbols)
        self.report.misnamed.extend(tree.misnamed)
        files = [file for file in tree.files if self._has_partition(file)]
        measuring = map_in_order(lambda file: _measured(archive, file), files)
        read = dict(zip(files, self._counted("read", measuring, len(files)), strict=True))
        measured = {file: each for file, each in read.items() if not isinstance(each, FileError)}
        self.report.refuse({file: each for file, each in read.items() if isinstance(each, FileError)})
        journal = RewriteJournal(archive) if rewrite or isinstance(archive.root, Path) else None
        rewritten = journal.read() if journal else {}
        timeframes = (RAW, *self.settings.timeframes)
        state = AdoptionState(self.instance, archive, timeframes, measured, rewritten, self.accept_changed)
        if rewrite and journal is not None:
            self._rewrite(state, journal, measured)
            rewritten |= journal.read()
        self._record(Adoption(state, BarReader(archive), self.settings.parquet), list(measured))
        if journal is not None and not self.report.dry_run and rewritten.keys() <= {str(file.path) for file in files}:
            journal.clear()

    def _rewrite(self, state: "AdoptionState", journal: "RewriteJournal", measured: "dict[BarFile, Measured]") -> None:
        from mohlcv_dagster.storage.manifest import measure  # noqa: PLC0415 - as in adopt
        from mohlcv_dagster.storage.repair import Rewriter  # noqa: PLC0415 - as in adopt

        noted = None if self.report.dry_run else journal
        rewriter = Rewriter(state.archive, noted, state.closed, keeps_history=self.settings.history)
        for each in rewriter.rewrite(filter(state.may_be_repaired, list(measured))):
            self.report.rewritten.append(each)
            measured[each.file] = measure(state.archive.path(each.file))

    def _record(self, adoption: "Adoption", files: list[BarFile]) -> None:
        from mohlcv_dagster.defs.adoption import AdoptionRun  # noqa: PLC0415 - as in adopt

        if self.report.dry_run:
            self.report.entries.extend(self._counted("examined", adoption.look(files), len(files)))
            return
        with AdoptionRun(self.instance) as recording:
            registered = list(self._counted("registered", adoption.register(files, recording), len(files)))
            self.report.entries.extend(self._counted("checked", adoption.check(registered, recording), len(files)))

    def _counted(self, what: str, work: Iterable[T], of: int) -> Iterator[T]:
        """`work`, counted in the status line."""
        for done, each in enumerate(work, start=1):
            self.set_status(f"{done:,} of {of:,} files {what}")
            yield each

    def _has_partition(self, file: BarFile) -> bool:
        """Whether there is a partition for `file` in this project; the report gets the reason if not."""
        why = None
        if file.month < self.settings.start:
            why = f"{file.month} is before {self.settings.start}, the first month of {START.variable}; set it earlier"
        elif file.month > Month.of(datetime.now(UTC)):
            why = f"{file.month} has not begun yet"
        elif file.timeframe not in (RAW, *self.settings.timeframes):
            why = f"{file.timeframe} is not among {TIMEFRAMES.variable}; add it there"
        if why is not None:
            self.report.outside[file] = why
        return why is None
