"""What the command prints, in the encoding that there is: text on the console, one JSON document, a summary of months.

Text on a terminal has at most its width; anywhere else lines are never cut. rich follows `NO_COLOR`, and
`FORCE_COLOR` where there is no terminal, which then forces only colour.
"""

import codecs
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import click

from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster.cli.help_text import tell
from mohlcv_dagster.errors import PlanError
from mohlcv_dagster.formatting import quantity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from mohlcv_dagster.cli.runs import FinishedRun
    from mohlcv_dagster.model.bar_files import BarFile

OK: Final = "[green]✓[/]"
WARNED: Final = "[yellow]![/]"
FAILED: Final = "[red]✗[/]"

_WIDTH_OF_A_FILE: Final = 160
_HANGING: Final = 2
_ANY_WIDTH: Final = 10_000
_HANDLER: Final = "mohlcv.glyphs"
_ASCII: Final = "mohlcv_ascii"
"""ASCII by another name: click takes a stream in ASCII for a mistake and writes UTF-8 to it."""
_PLAIN: Final = {"✓": "+", "✗": "x", "→": "->", "…": "...", "×": "x", "·": ".", "─": "-", "│": "|"}
"""What stands for characters that we print ourselves; any other one becomes a question mark."""


def replace_unwritable() -> None:
    """Have standard output and standard error replace what they cannot encode, also half of a pair of surrogates."""
    codecs.register_error(_HANDLER, _replaced)
    codecs.register(_codec)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            is_ascii = codecs.lookup(stream.encoding).name == "ascii"
            stream.reconfigure(encoding=_ASCII if is_ascii else None, errors=_HANDLER)


def _holds_every_character() -> bool:
    """Whether standard output is in UTF-8."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return codecs.lookup(encoding).name == "utf-8"


def _codec(name: str) -> codecs.CodecInfo | None:
    if name != _ASCII:
        return None
    plain = codecs.lookup("ascii")
    return codecs.CodecInfo(
        plain.encode,
        plain.decode,
        incrementalencoder=plain.incrementalencoder,
        incrementaldecoder=plain.incrementaldecoder,
        name=_ASCII,
    )


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(each, "?") for each in error.object[error.start : error.end]), error.end


@cache
def _console_class() -> "type[Console]":
    # rich takes 80 ms to load: not for the help text
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    class TerminalConsole(Console):
        """Prints texts within the terminal; with `soft_wrap`, as in a file, lines are as long as they are."""

        def on_broken_pipe(self) -> None:
            """Exit with a code of its own: readers may stop at any time."""
            try:
                super().on_broken_pipe()
            except SystemExit:
                raise SystemExit(ExitCode.UNREAD) from None

        def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002 - the signature is rich's
            """Hide the cursor, or show it again, on a terminal only."""
            return super().show_cursor(show) if self.is_interactive else False

        def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 - as above
            """Print; a text that is too long for the terminal goes on in further lines, indented."""
            if self.soft_wrap or len(objects) != 1 or not isinstance(objects[0], str):
                super().print(*objects, **options)
                return
            text = self.render_str(objects[0], markup=options.pop("markup", None))
            lines = [part for line in text.split("\n", allow_blank=True) for part in self._within_width(line)]
            super().print(Text("\n").join(lines), soft_wrap=True, **options)

        def _within_width(self, line: Text) -> list[Text]:
            if len(line) <= self.width:
                return [line]
            indent = len(line.plain) - len(line.plain.lstrip())
            width = max(self.width - indent - _HANGING, 10)
            wrapped = line[indent:].wrap(self, width)
            for part in wrapped:
                part.rstrip()
            hanging = [Text(" " * (indent + (_HANGING if at else 0))) for at in range(len(wrapped))]
            return [space + part for space, part in zip(hanging, wrapped, strict=True)]

    return TerminalConsole


def open_console(*, stderr: bool = False) -> "Console":
    """Standard output, or standard error; numbers and paths are not coloured."""
    # FORCE_COLOR makes rich take a file for a terminal: no status line may be drawn in it, and no line be cut
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    interactive = None if terminal else False
    console = _console_class()(
        highlight=False, emoji=False, soft_wrap=not terminal, stderr=stderr, force_interactive=interactive
    )
    if not terminal:
        console.width = _WIDTH_OF_A_FILE
    return console


def print_table(console: "Console", table: "Table") -> None:
    """Print a table of texts; where the terminal is too narrow for it, a paragraph a row: `SPY  bars 210, why new`."""
    if console.measure(table, options=console.options.update(max_width=_ANY_WIDTH)).maximum <= console.width:
        console.print(table)
        return
    headings = [str(column.header) for column in table.columns[1:]]
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        told = ", ".join(f"{heading} {text}" for heading, text in zip(headings, others, strict=True) if text)
        console.print(f"{first}  {told}", markup=False)


def show_reasons(console: "Console", label: str, reasons: Iterable[str], mark: str = FAILED) -> None:
    """Print each reason on a line behind `label`; brackets in it are not markup."""
    from rich.markup import escape  # noqa: PLC0415 - as above

    for reason in reasons:
        console.print(f"{mark} {label}:  {escape(reason)}")


JSON_OPTION: Final = "--json"

json_option: Final = click.option(
    JSON_OPTION, "as_json", is_flag=True, help="Print one JSON document; everything else goes to standard error."
)
"""The option of each command that scripts may call; its argument is `as_json`."""


def wants_json(words: Sequence[str]) -> bool:
    """Whether a command line requests JSON: by its words, since it may be invalid."""
    return JSON_OPTION in words


def print_json(document: Mapping[str, object]) -> None:
    """Print the one JSON document, escaped where standard output is not UTF-8; what is not of JSON becomes its text."""
    escaped = not _holds_every_character()
    click.echo(json.dumps(document, indent=2, ensure_ascii=escaped, default=str), file=sys.stdout)


def print_json_error(message: str, code: int, cure: str = "") -> None:
    """Print the document of a command that failed: `error`, `exit_code` and perhaps `cure`."""
    print_json({"error": message, **({"cure": cure} if cure else {}), "exit_code": int(code)})


def print_text(text: str, *, as_json: bool) -> None:
    """Print a line for a person: on standard output, or on standard error where that has a JSON document."""
    tell(text, err=as_json)


_SKIPPED: Final = "skipped"
_FAILED: Final = "failed"
RESAMPLED: Final = "folded"
"""An outcome, as JSON documents name it."""
_WORDS: Final = {RESAMPLED: "resampled"}
"""What is printed for outcomes that have another name in JSON documents."""


@dataclass(frozen=True)
class MonthResult:
    """The outcome of a month.

    Attributes:
        outcome: `skipped`, `failed`, or what was done, such as `downloaded`.
        reasons: why it was skipped or failed; else the errors of checks that do not block.
        empty: whether it was stored without bars.
        run_id: the run, as the UI shows it; empty where there was none.
        because: why it was done, a clause; may be empty.
        timeframes: the names of those that it was resampled into.
        kind: the type of our error that it failed of; may be empty.
    """

    file: "BarFile"
    outcome: str
    reasons: tuple[str, ...] = ()
    empty: bool = False
    run_id: str = ""
    timeframes: tuple[str, ...] = ()
    because: str = ""
    kind: str = ""

    @property
    def label(self) -> str:
        """`SPY 2024-01`."""
        return f"{self.file.symbol} {self.file.month}"

    def document(self) -> dict[str, object]:
        """For JSON: without what is empty."""
        optional = {
            "timeframes": list(self.timeframes),
            "because": self.because,
            "empty": self.empty,
            "run_id": self.run_id,
        }
        return {
            "symbol": self.file.symbol,
            "month": str(self.file.month),
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            **{name: value for name, value in optional.items() if value},
        }


@dataclass
class Summary:
    """The outcomes of the months that a command was given.

    Attributes:
        outcomes: what may be done to a month, in the order printed; those but the first are printed where they occur.
        total: how many months were given.
    """

    command: str
    outcomes: Sequence[str]
    total: int
    months: list[MonthResult] = field(default_factory=list)
    interrupted: bool = False

    def add(
        self, file: "BarFile", done: str, run: "FinishedRun", timeframes: Sequence[str] = (), because: str = ""
    ) -> None:
        """Add a month of a run that was to do `done`."""
        reasons = tuple(dict.fromkeys(run.reasons))  # each aggregate of a broken month has the same reason
        outcome = done if run.succeeded else _FAILED
        result = MonthResult(file, outcome, reasons, run.empty, run.run_id, tuple(timeframes), because, run.kind)
        self.months.append(result)

    def skip(self, file: "BarFile", why: str) -> None:
        """Add a month for which there was nothing to do."""
        self.months.append(MonthResult(file, _SKIPPED, (why,)))

    def fail(self, file: "BarFile", why: str) -> None:
        """Add a month that could not be started."""
        self.months.append(MonthResult(file, _FAILED, (why,)))

    @property
    def failed(self) -> list[MonthResult]:
        """The months that failed."""
        return [month for month in self.months if month.outcome == _FAILED]

    @property
    def _with_errors(self) -> list[MonthResult]:
        """The months that were stored although checks that do not block found errors."""
        return [month for month in self.months if month.outcome in self.outcomes and month.reasons]

    def _counts(self) -> dict[str, int]:
        outcomes = [*self.outcomes, _SKIPPED, _FAILED]
        return {outcome: sum(month.outcome == outcome for month in self.months) for outcome in outcomes}

    @contextmanager
    def printed(self, console: "Console", *, as_json: bool) -> Iterator[None]:
        """Print it when the block ends, after Ctrl-C or an error too."""
        try:
            yield
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            if self.months or self.interrupted:
                self.show(console)
            if as_json:
                print_json(self._document())

    def show(self, console: "Console") -> None:
        """Print the counts, then the months that failed or have errors, each reason once."""
        console.print(f"\n{self._line()}")
        for months, mark in ((self.failed, FAILED), (self._with_errors, WARNED)):
            for alike in _by_reasons(months):
                show_reasons(console, _labels([each.file for each in alike]), alike[-1].reasons, mark)

    def show_skipped(self, console: "Console") -> None:
        """Print what is skipped and why, a line a symbol."""
        skipped = [month for month in self.months if month.outcome == _SKIPPED]
        for _, of_symbol in groupby(skipped, key=lambda month: month.file.symbol):
            alike = _by_reasons(of_symbol)
            if len(alike) == 1:
                told = f"{_labels([each.file for each in alike[0]])}  skipped: {alike[0][0].reasons[0]}"
            else:
                reasons = (f"{_span([each.file for each in some])} {some[0].reasons[0]}" for some in alike)
                told = f"{alike[0][0].file.symbol}  skipped: {'; '.join(reasons)}"
            console.print(f"- {told}", markup=False)

    @property
    def _left(self) -> int:
        return self.total - len(self.months)

    def _line(self) -> str:
        counts, first = self._counts(), self.outcomes[0]
        parts = [
            f"{count} {_WORDS.get(outcome, outcome)}"
            for outcome, count in counts.items()
            if count or outcome in {first, _SKIPPED, _FAILED}
        ]
        if empty := sum(month.empty and month.outcome == first for month in self.months):
            parts[0] += f" ({empty} without bars)"
        if self._with_errors:
            parts.append(f"{len(self._with_errors)} stored with errors that do not block")
        line = ", ".join(parts)
        if self.interrupted:
            line += f"; interrupted, {self._left} of {self.total} not started or not finished"
        elif self._left and self.failed:
            line += f"; ended there, {self._left} of {self.total} not tried"
        return line

    def _document(self) -> dict[str, object]:
        return {
            "command": self.command,
            "ok": not self.failed and not self.interrupted,
            "counts": {**self._counts(), "stored_with_errors": len(self._with_errors)},
            "months": [month.document() for month in self.months],
            "interrupted": self.interrupted,
            **({"not_tried": self._left} if self._left else {}),
        }


def _by_reasons(months: Iterable[MonthResult]) -> list[list[MonthResult]]:
    """Months with the same reasons together; what a plan refuses counts as one reason."""
    groups: dict[object, list[MonthResult]] = {}
    for month in months:
        groups.setdefault(month.kind if month.kind == PlanError.__name__ else month.reasons, []).append(month)
    return list(groups.values())


def _labels(files: "Sequence[BarFile]") -> str:
    """`SPY 2024-01`, `SPY 2024-01 to 2024-03 (3 months)`, or `QQQ, SPY 2024-01 to 2024-03 (6 months)`."""
    symbols = ", ".join(dict.fromkeys(file.symbol for file in files))
    return f"{symbols} {_span(files)}"


def _span(files: "Sequence[BarFile]") -> str:
    """`2024-01`, or the first and the last month and how many there are; months between them may be missing."""
    first, last = min(file.month for file in files), max(file.month for file in files)
    return f"{first} to {last} ({quantity(len(files), 'month')})" if len(files) > 1 else str(first)
