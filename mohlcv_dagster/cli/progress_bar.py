"""Progress on the terminal: a line for each asset done, and on a terminal a progress bar below.

In a file or a pipe there is no progress bar.
"""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import dagster as dg
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from mohlcv_dagster.cli.console import FAILED, OK, WARNED
from mohlcv_dagster.cli.crashed_runs import was_interrupted
from mohlcv_dagster.defs.asset_checks import FailedRule, failed_rules
from mohlcv_dagster.defs.metadata import EMPTY_BECAUSE
from mohlcv_dagster.defs.progress import RETRYING
from mohlcv_dagster.formatting import duration, quantity

if TYPE_CHECKING:
    from rich.status import Status

    from mohlcv_dagster.model.bar_files import BarFile
    from mohlcv_dagster.providers.base import FetchProgress as Fetched

_THOUSAND: Final = 1000


class Display:
    """Prints the events of a run: a line for each asset written or checked.

    Args:
        console: where to.
        label: what the run is about, such as `SPY 2024-01`.
        set_status: called with the current action, for a progress bar; without it, `status` can show a status line.
        ignored: rules whose failures are not shown, such as those on records where there are none.
    """

    def __init__(
        self,
        console: Console,
        label: str,
        set_status: Callable[[str], None] | None = None,
        ignored: Collection[str] = (),
    ) -> None:
        self._console = console
        self._label = label
        self._set_bar_status = set_status
        self._ignored = ignored
        self._status: Status | None = None
        self._checks: list[dg.AssetCheckEvaluation] = []  # of the asset that is being checked

    @contextmanager
    def status(self) -> Iterator[None]:
        """Show a status line, on a terminal, until the block ends."""
        if not self._console.is_interactive:
            yield
            return
        with self._console.status(f"{self._label}: starting") as status:
            self._status = status
            yield
        self._status = None

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Show one event of the run."""
        event = entry.dagster_event
        if event is None:
            self._logged(entry)
        elif event.event_type == dg.DagsterEventType.STEP_START:
            self._set_status(self._label)
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            self._checked()
            self._materialized(event.step_materialization_data.materialization)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if self._checks and self._checks[0].asset_key != evaluation.asset_key:
                self._checked()
            self._checks.append(evaluation)
        elif event.event_type == dg.DagsterEventType.STEP_SUCCESS:
            self._checked()
        elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
            self._checked()
            mark, end = (WARNED, "interrupted") if was_interrupted(event) else (FAILED, "failed")
            self._console.print(f"{mark} {self._label}  {end}")

    def _logged(self, entry: dg.EventLogEntry) -> None:
        """Print a line of the run's log where it explains a wait."""
        if entry.user_message.startswith(RETRYING):
            self._console.print(f"{WARNED} {self._label}  {escape(entry.user_message)}")
        if self._set_bar_status is None:
            self._set_status(entry.user_message)

    def show_checks(self, evaluations: list[dg.AssetCheckEvaluation]) -> None:
        """Print what the checks of an asset found."""
        if not evaluations:
            return
        failed = {each.check_name: self._failed(each) for each in evaluations}
        bad = {name: rules for name, rules in failed.items() if rules}
        is_error = any(rule.is_error for rules in bad.values() for rule in rules)
        mark = FAILED if is_error else WARNED if bad else OK
        count = f"{len(evaluations) - len(bad)} of {len(evaluations)} checks passed"
        self._console.print(f"{mark} {self._label}  {evaluations[0].asset_key.to_user_string():<16} {count}")
        for name, rules in bad.items():
            for rule in rules:
                self._console.print(f"    {name}: {rule.name}: {rule.message}", markup=False)

    def _set_status(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        if self._set_bar_status is not None:
            self._set_bar_status(text)

    def _materialized(self, made: dg.AssetMaterialization) -> None:
        facts = {name: value.value for name, value in made.metadata.items()}
        name, rows = made.asset_key.to_user_string(), facts["dagster/partition_row_count"]
        self._set_status(f"{self._label}: checking {name}")
        bars, size = quantity(int(str(rows)), "bar"), int(str(facts["size_bytes"])) / 1e6
        line = f"{OK} {self._label}  {name:<16} {bars:>14}  {size:7.1f} MB"
        self._console.print(line)
        if "fetch_seconds" in facts:
            requests = quantity(int(str(facts["requests"])), "request")
            line = f"    fetched in {facts['fetch_seconds']:.1f} s, {requests} from {facts['vendor']}"
            self._console.print(line, markup=False)
        if EMPTY_BECAUSE in facts and "fetch_seconds" in facts:
            self._console.print(f"    proven empty: {facts[EMPTY_BECAUSE]}", markup=False)

    def _checked(self) -> None:
        """Print the checks of an asset, once all of them are in."""
        evaluations, self._checks = self._checks, []
        self.show_checks(evaluations)

    def _failed(self, check: dg.AssetCheckEvaluation) -> list[FailedRule]:
        return [rule for rule in failed_rules(check) if rule.name not in self._ignored]


class ProgressBar:
    """The month worked on, how far, how fast, and the time left for all months; each takes about as long as the others.

    Args:
        console: where to; shown on a terminal only.
        months: how many there are to do.
        clock: seconds that only rise.
    """

    def __init__(self, console: Console, months: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._months = months
        self._clock = clock
        self._began = self._month_began = clock()
        self._done = 0
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=8),
            TextColumn("{task.fields[figures]}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal or not months,
        )
        self._task = self._progress.add_task("", total=max(months, 1), figures="")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show it until the block ends."""
        with self._progress:
            yield

    @contextmanager
    def month(self, label: str) -> Iterator[None]:
        """One of the months, which is over when the block ends, with success or not."""
        self._month_began = self._clock()
        self._progress.update(self._task, description=label, figures=f"{self._done + 1}/{self._months}")
        yield
        self._done += 1
        self._progress.update(self._task, completed=self._done, figures=f"{self._done}/{self._months}")

    def set_status(self, text: str) -> None:
        """Show what is being done."""
        self._progress.update(self._task, description=text)

    def fetched(self, file: "BarFile", step: "Fetched") -> None:  # noqa: ARG002 - every watcher gets the file
        """Show how much of the month was fetched."""
        done = self._done + step.windows_done / max(step.windows, 1)
        rate = step.bars / max(self._clock() - self._month_began, 0.001)
        figures = f"{self._done + 1}/{self._months} {short(step.bars)} bars {short(rate)}/s"
        if done > 0:
            left = (self._clock() - self._began) / done * (self._months - done)
            figures += f" {duration(left)} left"
        self._progress.update(self._task, completed=done, figures=figures)


def short(count: float) -> str:
    """`950`, `210k`, `1.2M`."""
    if count < _THOUSAND:
        return f"{count:.0f}"
    return f"{count / _THOUSAND:.0f}k" if count < _THOUSAND**2 else f"{count / _THOUSAND**2:.1f}M"
