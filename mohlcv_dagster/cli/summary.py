"""What became of the months a command was given: counted, told in words at the end, or as one JSON document."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from rich.markup import escape

from mohlcv_dagster.cli.console import WARNED, show_reasons
from mohlcv_dagster.cli.documents import print_document
from mohlcv_dagster.model.bar_files import BarFile

if TYPE_CHECKING:
    from rich.console import Console

    from mohlcv_dagster.cli.runs import Outcome

SKIPPED: Final = "skipped"
FAILED: Final = "failed"


@dataclass(frozen=True)
class Done:
    """What became of a month.

    Attributes:
        file: the raw file of the month.
        did: `skipped`, `failed`, or what was done, such as `downloaded`.
        reasons: why it was skipped or failed; of one that was done, the errors that hold nothing back.
        empty: whether it was stored without bars.
        run_id: the run, as the UI shows it; empty where there was none.
        why: of a month that was done, why it was, a clause; empty where nothing is to be said.
        timeframes: of a month that was folded, into what.
    """

    file: BarFile
    did: str
    reasons: tuple[str, ...] = ()
    empty: bool = False
    run_id: str = ""
    timeframes: tuple[str, ...] = ()
    why: str = ""

    @property
    def label(self) -> str:
        """`SPY 2024-01`."""
        return f"{self.file.symbol} {self.file.month}"

    def facts(self) -> dict[str, object]:
        """For a script: the attributes that say something."""
        told: dict[str, object] = {"symbol": self.file.symbol, "month": str(self.file.month), "outcome": self.did}
        told["reasons"] = list(self.reasons)
        if self.timeframes:
            told["timeframes"] = list(self.timeframes)
        if self.why:
            told["because"] = self.why
        return {**told, **({"empty": True} if self.empty else {}), **({"run_id": self.run_id} if self.run_id else {})}


@dataclass
class Summary:
    """What became of all of them.

    Attributes:
        command: the command, as `fetch`.
        deeds: what may be done to a month, in the order told; those but the first are told where there are some.
        of: how many months there are to do.
    """

    command: str
    deeds: Sequence[str]
    of: int
    months: list[Done] = field(default_factory=list)
    interrupted: bool = False

    def add(self, file: BarFile, did: str, outcome: "Outcome", timeframes: Sequence[str] = (), why: str = "") -> None:
        """Count a run that was to do `did`, and why it was."""
        reasons = tuple(dict.fromkeys(outcome.reasons))  # each aggregate of a broken month says the same
        deed = did if outcome.succeeded else FAILED
        self.months.append(Done(file, deed, reasons, outcome.empty, outcome.run_id, tuple(timeframes), why))

    def skip(self, file: BarFile, why: str) -> None:
        """Count a month for which there was nothing to do."""
        self.months.append(Done(file, SKIPPED, (why,)))

    def fail(self, file: BarFile, why: str) -> None:
        """Count a month that could not even be begun."""
        self.months.append(Done(file, FAILED, (why,)))

    @property
    def failed(self) -> list[Done]:
        """The months that failed."""
        return [month for month in self.months if month.did == FAILED]

    @property
    def wrong(self) -> list[Done]:
        """The months that were stored although checks found errors, which hold nothing back."""
        return [month for month in self.months if month.did in self.deeds and month.reasons]

    def counts(self) -> dict[str, int]:
        """How many of each."""
        kinds = [*self.deeds, SKIPPED, FAILED]
        return {kind: sum(month.did == kind for month in self.months) for kind in kinds}

    @contextmanager
    def told(self, console: "Console", *, as_json: bool) -> Iterator[None]:
        """Tell what became of the months when the block ends, by Ctrl-C or an error too."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            if self.months or self.interrupted:
                self.show(console)
            if as_json:
                self._print_json()

    def show(self, console: "Console") -> None:
        """Print the counts, and each month that is not well with its reasons."""
        first, *others = self.deeds
        counts = self.counts()
        empty = sum(month.empty and month.did == first for month in self.months)
        said = f"{counts[first]} {first}" + (f" ({empty} without bars)" if empty else "")
        for kind in others:
            said += f", {counts[kind]} {kind}" if counts[kind] else ""
        said += f", {counts[SKIPPED]} skipped, {counts[FAILED]} failed"
        if self.wrong:
            said += f", {len(self.wrong)} stored with errors that hold nothing back"
        if self.interrupted:
            said += f"; interrupted, {self.of - len(self.months)} of {self.of} not begun or not finished"
        console.print(f"\n{said}")
        for month in self.failed:
            show_reasons(console, month.label, month.reasons)
        for month in self.wrong:
            for reason in month.reasons:
                console.print(f"{WARNED} {month.label}:  {escape(reason)}")

    def _print_json(self) -> None:
        """Print the one JSON document of the command to standard output."""
        told = {
            "command": self.command,
            "ok": not self.failed and not self.interrupted,
            "counts": {**self.counts(), "stored_with_errors": len(self.wrong)},
            "months": [month.facts() for month in self.months],
            "interrupted": self.interrupted,
        }
        print_document(told)
