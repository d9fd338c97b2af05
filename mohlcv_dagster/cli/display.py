"""What a person sees while runs work: a line for each asset done, and on a terminal a line that moves."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from rich.console import Console

from mohlcv_dagster.cli.console import FAILED, OK, WARNED
from mohlcv_dagster.cli.interrupts import was_interrupted
from mohlcv_dagster.defs.metadata import EMPTY_BECAUSE

if TYPE_CHECKING:
    from dagster._core.execution.plan.objects import StepRetryData
    from dagster_shared.error import SerializableErrorInfo
    from rich.status import Status


class Display:
    """Turns the events of a run into lines.

    Args:
        console: where to; a terminal also gets a line that moves.
        label: what the run is about, such as `SPY 2024-01`.
        move: told what is being done, where somebody else has a line that moves.
        not_judged: checks that cannot say anything here, such as those on what was recorded where nothing is.
    """

    def __init__(
        self,
        console: Console,
        label: str,
        move: Callable[[str], None] | None = None,
        not_judged: Collection[str] = (),
    ) -> None:
        self._console = console
        self._label = label
        self._move_other = move
        self._not_judged = not_judged
        self._status: Status | None = None
        self._verdicts: dict[str, list[dg.AssetCheckEvaluation]] = {}

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
            if self._move_other is None:
                self._move(entry.user_message)
        elif event.event_type == dg.DagsterEventType.STEP_START:
            self._move(f"{self._label}: {(event.step_key or '').replace('__', '/')}")
        elif event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION:
            self._materialized(event.step_materialization_data.materialization)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            self._verdicts.setdefault(event.step_key or "", []).append(evaluation)
        elif event.event_type in {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}:
            verdicts = self._verdicts.pop(event.step_key or "", [])
            if not verdicts and event.is_failure:
                step = (event.step_key or "").replace("__", "/")
                end = f"{WARNED} {self._label}  {step:<16} interrupted"
                self._console.print(end if was_interrupted(event) else f"{FAILED} {self._label}  {step:<16} failed")
            self._checked(verdicts, asked_vendor=(event.step_key or "").endswith("vendor_checks"))
        elif event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY:
            self._waiting(event.step_retry_data)
        elif event.event_type == dg.DagsterEventType.STEP_RESTARTED:
            self._move(f"{self._label}: trying again")

    def checked(self, evaluations: list[dg.AssetCheckEvaluation]) -> None:
        """Tell what checks said that no run of these events made."""
        self._checked(evaluations, asked_vendor=False)

    def _move(self, text: str) -> None:
        if self._status is not None:
            self._status.update(text)
        if self._move_other is not None:
            self._move_other(text)

    def _waiting(self, retry: "StepRetryData") -> None:
        """Say why nothing happens for a while: a vendor that is away is waited for, for minutes."""
        wait = f"in {retry.seconds_to_wait:.0f} s" if retry.seconds_to_wait else "now"
        self._console.print(f"{WARNED} {self._label}  trying again {wait}:", end=" ")
        self._console.print(_said(retry.error), markup=False)

    def _materialized(self, made: dg.AssetMaterialization) -> None:
        facts = {name: value.value for name, value in made.metadata.items()}
        line = f"{OK} {self._label}  {_name(made.asset_key):<16} {facts['dagster/partition_row_count']:>9,} bars"
        line += f"  {int(str(facts['size_bytes'])) / 1e6:7.1f} MB"
        self._console.print(line)
        if "fetch_seconds" in facts:
            line = f"    fetched in {facts['fetch_seconds']:.1f} s, {facts['requests']} requests from {facts['vendor']}"
            self._console.print(line, markup=False)
        if EMPTY_BECAUSE in facts and "fetch_seconds" in facts:
            self._console.print(f"    proven empty: {facts[EMPTY_BECAUSE]}", markup=False)

    def _checked(self, verdicts: list[dg.AssetCheckEvaluation], *, asked_vendor: bool) -> None:
        every, verdicts = verdicts, [each for each in verdicts if each.check_name not in self._not_judged]
        if not verdicts:
            return
        bad = [verdict for verdict in verdicts if not verdict.passed]
        errors = [verdict for verdict in bad if verdict.severity == dg.AssetCheckSeverity.ERROR]
        mark = FAILED if errors else WARNED if bad else OK
        kind = "checks against the vendor" if asked_vendor else "checks"
        count = f"{len(verdicts) - len(bad)} of {len(verdicts)} {kind} passed"
        if len(every) > len(verdicts):
            count += f", {len(every) - len(verdicts)} not judged"
        self._console.print(f"{mark} {self._label}  {_name(verdicts[0].asset_key):<16} {count}")
        for verdict in bad:
            self._console.print(f"    {verdict.check_name}: {verdict.description}", markup=False)


def _said(error: "SerializableErrorInfo") -> str:
    """What the error that Dagster's own wraps says, without the name of its class."""
    while error.cause is not None:
        error = error.cause
    return error.message.strip().partition(": ")[2] or error.message.strip()


def _name(key: dg.AssetKey | None) -> str:
    return key.to_user_string() if key else ""
