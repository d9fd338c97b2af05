"""The tables: Markdown, for the terminal and for the section between two marks of docs/performance.md."""

from pathlib import Path
from typing import Final

from benchmarks.figures import MEGABYTE, Results, Row

BEGIN: Final = "<!-- benchmarks: begin -->"
END: Final = "<!-- benchmarks: end -->"


def markdown(results: Results, command: str) -> str:
    """Both tables and the notes."""
    parts = [f"Made by `{command}`; ratios hold within one run, seconds only on the machine that gave them.", ""]
    if results.targets:
        parts += ["| | wanted | reached | |", "|---|---|---|---|"]
        parts += [
            f"| {t.what} | {t.wanted} | {t.reached} | {'met' if t.met else '**missed**'} |" for t in results.targets
        ]
        parts.append("")
    parts += [
        "| stage | way | seconds | fastest | CPU | peak MB | original ÷ this | in CPU | this ÷ floor | runs |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    parts += [_line(row, results) for row in results.rows]
    parts += ["", *(f"- {note}" for note in results.notes)]
    return "\n".join(parts).rstrip() + "\n"


def _line(row: Row, results: Results) -> str:
    original, floor = results.row(row.stage, "original"), results.row(row.stage, "floor")
    gain = f"{original.seconds / row.seconds:.1f}×" if original is not None else ""
    worked = f"{original.cpu / row.cpu:.1f}×" if original is not None and row.cpu else ""
    above = f"{row.seconds / floor.seconds:.1f}×" if floor is not None else ""
    cpu = f"{row.cpu:.2f}" if row.cpu else ""
    peak = f"{row.peak / MEGABYTE:.0f}" if row.peak else ""
    fastest = f"{row.fastest:.3f}" if row.fastest else ""
    numbers = f"{row.seconds:.3f} | {fastest} | {cpu} | {peak} | {gain} | {worked} | {above} | {row.runs}"
    return f"| {row.stage} | {row.way} | {numbers} |"


def put_in(page: Path, section: str) -> None:
    """Replace what stands between the marks of `page`.

    Raises:
        ValueError: the page has not both marks.
    """
    text = page.read_text(encoding="utf-8")
    head, begun, rest = text.partition(BEGIN)
    _, ended, tail = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"{page} has not the marks {BEGIN} and {END}: nothing was written")
    page.write_text(f"{head}{BEGIN}\n{section}{END}{tail}", encoding="utf-8")
