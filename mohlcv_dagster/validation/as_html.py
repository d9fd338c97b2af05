"""A report as one HTML page that needs nothing beside it: a table of the files, then each fault with cure and bars.

Light or dark as the reader's machine is; no script, no font and no picture from elsewhere.
"""

from collections.abc import Iterator
from html import escape
from pathlib import PurePath
from typing import Final

from mohlcv_dagster.bars.quality import ERROR, OK, WARN
from mohlcv_dagster.validation.as_text import remarks
from mohlcv_dagster.validation.report import Entry, Fault, Report

_CALLED: Final = {OK: "ok", WARN: "warning", ERROR: "error"}

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --line: #e1e4ea; --ink: #1c2230; --soft: #5d6677; --code: #f0f2f5;
  --ok: #1a7f4b; --ok-ground: #e2f4ea; --warn: #8a5a00; --warn-ground: #fdf1d3;
  --error: #b3261e; --error-ground: #fde7e5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151b; --card: #1a1f28; --line: #2c3340; --ink: #e6e9ef; --soft: #9aa4b5; --code: #232a35;
    --ok: #6fd39c; --ok-ground: #173526; --warn: #f0c060; --warn-ground: #3a2f12; --error: #ff8f87;
    --error-ground: #42201e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI",
  Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; }
p { margin: .4rem 0; }
.soft { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr));
  gap: .75rem; margin: 1.5rem 0 1rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.6rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card.ok b { color: var(--ok); } .card.warn b { color: var(--warn); } .card.error b { color: var(--error); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .8rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); font-size: .85rem; }
tr:last-child td { border-bottom: 0; }
td.number, th.number { text-align: right; }
td.path { color: var(--soft); font-size: .85rem; }
a { color: inherit; }
.pill { border-radius: 1rem; padding: .1rem .6rem; font-size: .8rem; font-weight: 600; }
.pill.ok { color: var(--ok); background: var(--ok-ground); }
.pill.warn { color: var(--warn); background: var(--warn-ground); }
.pill.error { color: var(--error); background: var(--error-ground); }
section.file { margin-top: 1.5rem; }
.fault { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--warn);
  border-radius: .6rem; padding: .9rem 1.1rem; margin: .75rem 0; overflow-wrap: anywhere; }
.fault.error { border-left-color: var(--error); }
.fault .scroll { margin: .7rem 0 .3rem; border-radius: .4rem; }
.fault table { font: 12.5px/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.fault th, .fault td { padding: .3rem .7rem; }
code { font: .85em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--code);
  border-radius: .3rem; padding: .1rem .35rem; }
footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
@media print { body { background: none; } .fault, tr { break-inside: avoid; } }
"""


def written(report: Report) -> str:
    """The whole page."""
    return "\n".join(_page(report)) + "\n"


def _page(report: Report) -> Iterator[str]:
    title = f"{report.timeframe} bars in {report.input_dir}"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{escape(title)}</h1>"
    yield f'<p class="soft">{escape(report.verdict)}</p>'
    yield from _cards(report)
    yield "<h2>Files</h2>"
    yield from _files(report)
    for entry in report.entries:
        if entry.worst != OK:
            yield from _section(report, entry)
    notes = list(remarks(report))
    if notes:
        yield "<h2>Not judged, and skipped</h2>"
        yield from (f"<p>{escape(note)}</p>" for note in notes)
    raw = f"compared with the raw files in {report.raw_dir}" if report.raw_dir else "compared with no raw files"
    made = f"Made {report.made_at:%Y-%m-%d %H:%M} UTC by mohlcv {report.version}, {raw}."
    yield f"<footer>{escape(made)}</footer>"
    yield "</main>\n</body>\n</html>"


def _cards(report: Report) -> Iterator[str]:
    bars = sum(entry.rows or 0 for entry in report.entries)
    figures = [
        ("", len(report.entries), "files"),
        ("", bars, "bars"),
        *(
            (worst, report.count(worst), told)
            for worst, told in ((ERROR, "with errors"), (WARN, "with warnings"), (OK, "ok"))
        ),
    ]
    yield '<div class="cards">'
    for kind, count, told in figures:
        yield f'<div class="card {kind if count else ""}"><b>{count:,}</b>{told}</div>'
    yield "</div>"


def _files(report: Report) -> Iterator[str]:
    yield '<div class="scroll"><table>\n<thead><tr><th>symbol</th><th>month</th><th>worst</th>'
    yield '<th class="number">bars</th><th class="number">errors</th><th class="number">warnings</th>'
    yield '<th class="number">rules passed</th><th class="number">not judged</th><th>file</th></tr></thead>\n<tbody>'
    for entry in report.entries:
        errors = sum(fault.severity == ERROR for fault in entry.faults)
        rows = "–" if entry.rows is None else f"{entry.rows:,}"
        numbers = (rows, errors, len(entry.faults) - errors, len(entry.passed), len(entry.skipped))
        month = str(entry.file.month)
        linked = month if entry.worst == OK else f'<a href="#{_anchor(entry)}">{month}</a>'
        yield f"<tr><td>{escape(entry.file.symbol)}</td><td>{linked}</td><td>{_pill(entry.worst)}</td>"
        yield "".join(f'<td class="number">{number}</td>' for number in numbers)
        yield f'<td class="path" title="{escape(entry.path)}">{escape(PurePath(entry.path).name)}</td></tr>'
    yield "</tbody></table></div>"


def _section(report: Report, entry: Entry) -> Iterator[str]:
    yield f'<section class="file" id="{_anchor(entry)}">'
    yield f"<h2>{escape(entry.label)} {_pill(entry.worst)}</h2>"
    if entry.problem is not None:
        yield f'<div class="fault error"><p>Nothing was checked: {escape(entry.problem)}</p></div>'
    for fault in entry.faults:
        yield from _fault(fault)
    if command := report.command(entry):
        yield f"<p>In the terminal: <code>{escape(command)}</code></p>"
    yield "</section>"


def _fault(fault: Fault) -> Iterator[str]:
    yield f'<div class="fault {fault.severity}">'
    yield f"<h3>{escape(fault.rule)} {_pill(fault.severity)}</h3>"
    yield f'<p class="soft">{escape(fault.sentence)} Allowed: {escape(fault.threshold)}.</p>'
    yield f"<p>{escape(fault.fault)}</p>"
    yield f"<p><b>What to do:</b> {escape(fault.cure)}</p>"
    if fault.sample:
        yield '<div class="scroll"><table>'
        yield f"<thead><tr>{''.join(f'<th>{escape(name)}</th>' for name in fault.columns)}</tr></thead>\n<tbody>"
        for row in fault.sample:
            yield f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>"
        yield "</tbody></table></div>"
    if fault.count > len(fault.sample) > 0:
        yield f'<p class="soft">… and {fault.count - len(fault.sample):,} more {escape(fault.counts)}.</p>'
    yield "</div>"


def _pill(worst: str) -> str:
    return f'<span class="pill {worst}">{_CALLED[worst]}</span>'


def _anchor(entry: Entry) -> str:
    return escape(f"{entry.file.symbol}-{entry.file.month}")
