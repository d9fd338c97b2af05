"""What a person sees while runs work: a line for each asset done, and on a terminal a line that moves."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from rich.console import Console
from rich.markup import escape

from mohlcv_dagster.cli.console import FAILED, OK, WARNED
from mohlcv_dagster.cli.interrupts import was_interrupted
from mohlcv_dagster.defs.asset_checks import FailedRule, failed_rules
from mohlcv_dagster.defs.metadata import EMPTY_BECAUSE
from mohlcv_dagster.defs.progress import RETRYING

if TYPE_CHECKING:
    from rich.status import Status


class Display:
    """Turns the events of a run into lines.

    Args:
        console: where to; a terminal also gets a line that moves.
        label: what the run is about, such as `SPY 2024-01`.
        move: told what is being done, where somebody else has a line that moves.
        left_out: rules that are not told of, such as those on what was recorded where nothing is.
    """

    def __init__(
        self,
        console: Console,
        label: str,
        move: Callable[[str], None] | None = None,
        left_out: Collection[str] = (),
    ) -> None:
        self._console = console
        self._label = label
        self._move_other = move
        self._left_out = left_out
        self._status: Status | None = None
        self._checks: list[dg.AssetCheckEvaluation] = []  # of the asset that is being checked

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Show the line that moves, on a terminal, until the block ends."""
        if not self._console.is_interactive:
            yield
            return
        with self._console.status(f"{self._label}: starting") as status:
            self._status = status
            yield
        self._status = None

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Take one event of the run."""
        event = entry.dagster_event
        if event is None:
            self._logged(entry)
        elif event.event_type == dg.DagsterEventType.STEP_START:
            self._move(self._label)
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
        """A line of the run's log: shown where it says why nothing happens for a while."""
        if entry.user_message.startswith(RETRYING):
            self._console.print(f"{WARNED} {self._label}  {escape(entry.user_message)}")
        if self._move_other is None:
            self._move(entry.user_message)

    def checked(self, evaluations: list[dg.AssetCheckEvaluation]) -> None:
        """Tell what checks said that no run of these events made."""
        self._checks = evaluations
        self._checked()

    def _move(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        if self._move_other is not None:
            self._move_other(text)

    def _materialized(self, made: dg.AssetMaterialization) -> None:
        facts = {name: value.value for name, value in made.metadata.items()}
        name, rows = made.asset_key.to_user_string(), facts["dagster/partition_row_count"]
        self._move(f"{self._label}: checking {name}")
        line = f"{OK} {self._label}  {name:<16} {rows:>9,} bars  {int(str(facts['size_bytes'])) / 1e6:7.1f} MB"
        self._console.print(line)
        if "fetch_seconds" in facts:
            line = f"    fetched in {facts['fetch_seconds']:.1f} s, {facts['requests']} requests from {facts['vendor']}"
            self._console.print(line, markup=False)
        if EMPTY_BECAUSE in facts and "fetch_seconds" in facts:
            self._console.print(f"    proven empty: {facts[EMPTY_BECAUSE]}", markup=False)

    def _checked(self) -> None:
        """Show what the checks of an asset found, once all of them are in."""
        checks, self._checks = self._checks, []
        if not checks:
            return
        failed = {check.check_name: self._failed(check) for check in checks}
        bad = {name: rules for name, rules in failed.items() if rules}
        is_error = any(rule.is_error for rules in bad.values() for rule in rules)
        mark = FAILED if is_error else WARNED if bad else OK
        count = f"{len(checks) - len(bad)} of {len(checks)} checks passed"
        self._console.print(f"{mark} {self._label}  {checks[0].asset_key.to_user_string():<16} {count}")
        for name, rules in bad.items():
            for rule in rules:
                self._console.print(f"    {name}: {rule.name}: {rule.message}", markup=False)

    def _failed(self, check: dg.AssetCheckEvaluation) -> list[FailedRule]:
        return [rule for rule in failed_rules(check) if rule.name not in self._left_out]
