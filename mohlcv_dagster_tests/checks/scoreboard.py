"""The scoreboard: for every rule the seeded faults found, the severity given, and false alarms on clean months.

`uv run python -m mohlcv_dagster_tests.checks.scoreboard` measures all of it again (two or three minutes), writes the
pages of docs that are made of it (`PAGES`, and the tables of docs/checks.md) and prints the table. What is seeded is in
the modules that are imported here; nothing is seeded here.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mohlcv_dagster_tests.checks import form_scoreboard, plausibility, whole_corruptions
from mohlcv_dagster_tests.checks.bad_prints import BAD_PRINTS
from mohlcv_dagster_tests.checks.clean_files import PLAUSIBLE
from mohlcv_dagster_tests.checks.clean_months import false_alarms, false_incidents
from mohlcv_dagster_tests.checks.corruptions import CORRUPTIONS
from mohlcv_dagster_tests.checks.missing_requirements import MISSING
from mohlcv_dagster_tests.checks.plausibility import Tally
from mohlcv_dagster_tests.checks.recorded_faults import RECORDED_FAULTS
from mohlcv_dagster_tests.checks.vendor_faults import LADDER, LOST_MINUTES, THIN, ladder_found, minutes_found
from mohlcv_dagster_tests.checks.whole_corruptions import CLEAN, WHOLE_CORRUPTIONS
from mohlcv_dagster_tests.reconciliation import reconciliation_table
from mohlcv_dagster_tests.reconciliation.mismatches import SEEDS
from mohlcv_dagster_tests.tables import table

DOCS = Path(__file__).parents[2] / "docs"
VENDOR_INCIDENT = "vendor_incident"
NAMES = (*(rule.name for rule in form_scoreboard.IN_ORDER), VENDOR_INCIDENT)
"""Every rule on files and the check on all months, in the order of docs/checks.md."""

_ERROR_FIRST = ("error", "warn")

_HEAD = """# Scoreboard

For every rule: how many of the faults seeded for it were found, with which severity, and in how many clean months it
warned of nothing. The rules are in the order of [the checks](checks.md). Made by
`uv run python -m mohlcv_dagster_tests.checks.scoreboard`; a slow test holds this page equal to what is measured.

A fault is *found* where the rule made for it fails on it with the severity it should have; of a bad print every bar
must be warned of, of minutes beside the vendor's the kind must be told. The {clean} clean months are synthetic, eight
months of a busy and a quiet symbol and two of symbols in between, with early closes, changes of clocks and days of
mourning; each is written as it would be stored, raw and resampled, and put to all rules, its aggregates too, to which
most rules are not put otherwise. That a synthetic month is
quiet says little of the five rules on bad prints: those were tried on {rough} *rough* months too, worse than a
market, and on real bars ([plausibility.md](plausibility.md)). The vendor's minutes of a clean month are those the
stand-in vendor serves, made from the same seconds, so that nothing but the rules is tried.

"""

_FORM = """
## A file's form

Each row is a fault put into the bytes of a clean file, of its raw file or of its record, and what the rules said of
it. The record is made after the fault unless the row is about the record: else a fault would be seen by its digest
alone. What fails with it rightly does, and no rule besides.

"""

_MISSING = """
## What could not be looked at

Something that rules need is taken away from clean files. One rule tells of it, or none where another file is at fault;
the rules that needed it are not judged, and checks that say nothing without them have no result. None passes.

"""

_WHOLE = """
## Whole months

What was lost from synthetic months or put into them. Where the day is not said, it is seeded.

"""

_RECORDED = """
## What is recorded of a month

The bars are good, or there are none; the record is at fault.

"""

_VENDOR = """
## Beside the vendor and other symbols

Seconds and minutes that differ from the vendor's minutes, and minutes lost from several symbols at once. The
{minutes} differences seeded for `vendor_minutes` are in
[reconciliation.md](reconciliation.md#what-was-seeded-and-what-was-found).

"""


@dataclass(frozen=True)
class Seeded:
    """What became of a fault.

    Attributes:
        rule: made to see it.
        what: the fault, in words.
        found: how often it was found ...
        tried: ... of so many.
        severity: given; empty where it never was.
        section: of this page, or the page, that has the details.
    """

    rule: str
    what: str
    found: int
    tried: int
    severity: str
    section: str


def seeded_in_form() -> list[Seeded]:
    """The corruptions of files."""
    due = {(each.rule, each.what): each.severity for each in CORRUPTIONS}
    return [
        Seeded(rule, what, int(given == due[rule, what]), 1, given or "", "#a-files-form")
        for rule, what, given, _ in form_scoreboard.found()
    ]


def seeded_in_months() -> list[Seeded]:
    """The losses of whole months."""
    made = []
    for rule, what, counts, severity in whole_corruptions.found(whole_corruptions.SEEDS, WHOLE_CORRUPTIONS):
        found, _, tried = counts.partition(" of ")
        made.append(Seeded(rule, what, int(found), int(tried), severity if int(found) else "", "#whole-months"))
    return made


def seeded_in_records() -> list[Seeded]:
    """The faults of records."""
    made = []
    for fault in RECORDED_FAULTS:
        failing = {name: str(result.severity) for name, result in fault.failing().items()}
        found = failing == {fault.rule: fault.severity}
        given = failing.get(fault.rule, "")
        made.append(Seeded(fault.rule, fault.what, int(found), 1, given, "#what-is-recorded-of-a-month"))
    return made


def seeded_beside_others() -> list[Seeded]:
    """The differences from the vendor's minutes, and the minutes lost in several symbols."""
    here, seeds = "#beside-the-vendor-and-other-symbols", range(whole_corruptions.SEEDS)
    minutes = [("vendor_minutes", seed.what, minutes_found(seed), "reconciliation.md") for seed in SEEDS]
    ladder = [("volume_ladder", what, ladder_found(make), here) for what, make in LADDER.items()]
    thin = [("thin_seconds", each.what, each.found(), here) for each in THIN]
    every = (*minutes, *ladder, *thin)
    made = [Seeded(rule, what, int(found), 1, given, at) for rule, what, (found, given), at in every]
    counts = [(lost.what, sum(map(lost.found, seeds))) for lost in LOST_MINUTES]
    return made + [Seeded(VENDOR_INCIDENT, what, found, len(seeds), "warn", here) for what, found in counts]


def seeded_prints(tallies: tuple[Tally, Tally]) -> list[Seeded]:
    """The bad prints, in smooth and rough months."""
    severity = {rule.name: str(rule.severity) for rule in PLAUSIBLE}
    return [
        Seeded(
            kind.rule,
            kind.what,
            sum(tally.found[str(kind)] for tally in tallies),
            sum(tally.put[str(kind)] for tally in tallies),
            severity[kind.rule],
            "plausibility.md",
        )
        for kind in BAD_PRINTS
    ]


def summary(seeded: Iterable[Seeded], alarms: dict[str, str]) -> str:
    """The table of rules.

    Args:
        seeded: what became of every fault.
        alarms: the false alarms of each rule, in words.
    """
    by_rule: dict[str, list[Seeded]] = {
        rule: list(rows) for rule, rows in groupby(sorted(seeded, key=lambda row: row.rule), key=lambda row: row.rule)
    }
    head = ("rule", "found of seeded", "severity given", "false alarms on clean months", "details")
    return table(head, (_row(name, by_rule[name], alarms[name]) for name in NAMES))


def _row(name: str, seeded: list[Seeded], alarms: str) -> tuple[str, ...]:
    found, tried = sum(row.found for row in seeded), sum(row.tried for row in seeded)
    given = {row.severity for row in seeded}
    severities = ", ".join(severity for severity in _ERROR_FIRST if severity in given) or "none"
    places = " ".join(f"[{_called(place)}]({place})" for place in dict.fromkeys(row.section for row in seeded))
    return f"[`{name}`](checks.md#{name})", f"{found:,} of {tried:,}", severities, alarms, places


def _called(place: str) -> str:
    return place.removeprefix("#").replace("-", " ").replace("files form", "file's form") if "#" in place else place


def alarms_in_words(rough: Tally) -> dict[str, str]:
    """The false alarms of each rule: of clean months, and of rough ones where it was tried on them."""
    alarms = false_alarms(CLEAN)
    words = {name: f"{alarms[name]} of {len(CLEAN)}" for name in NAMES}
    incidents, months = false_incidents()
    words[VENDOR_INCIDENT] = f"{incidents} of {months}"
    for rule in PLAUSIBLE:
        words[rule.name] += f"; of rough ones {rough.warned_months[rule.name]} of {len(plausibility.MONTHS)}"
    return words


def page() -> str:
    """docs/scoreboard.md, measured anew."""
    smooth, rough = plausibility.measured()
    months, records, others = seeded_in_months(), seeded_in_records(), seeded_beside_others()
    every = (*seeded_in_form(), *months, *records, *others, *seeded_prints((smooth, rough)))
    told = [row for row in others if row.section.startswith("#")]
    return "".join(
        [
            _HEAD.format(clean=len(CLEAN), rough=len(plausibility.MONTHS)),
            summary(every, alarms_in_words(rough)),
            _FORM,
            table(("rule", "fault", "caught as", "fails with it"), _form_rows()),
            _MISSING,
            table(("what happened", "fails", "not judged", "checks without a result"), _missing_rows()),
            _WHOLE,
            _faults(months),
            _RECORDED,
            _faults(records),
            _VENDOR.format(minutes=len(SEEDS)),
            _faults(told),
        ]
    )


def _form_rows() -> Iterator[tuple[str, ...]]:
    for rule, what, given, others in form_scoreboard.found():
        yield f"`{rule}`", what, given or "**missed**", others


def _missing_rows() -> Iterator[tuple[str, ...]]:
    for missing in MISSING:
        failing = [each.rule.name for each in missing.run().results if each.rule.name in missing.fails]
        checks, left = missing.check_results(), tuple(missing.not_checked())
        every = sum(len(each.check.rules) for each in checks)
        told = f"all {len(left)} others" if len(left) + len(failing) == every else _listed(left)
        yield (
            missing.what,
            _listed(failing),
            told,
            _listed(each.check.name for each in checks if not each.is_conclusive),
        )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _faults(rows: Iterable[Seeded]) -> str:
    head = ("rule", "fault", "found", "severity")
    return table(head, ((f"`{row.rule}`", row.what, f"{row.found} of {row.tried}", row.severity) for row in rows))


PAGES = {
    "scoreboard.md": page,
    "plausibility.md": plausibility.page,
    "reconciliation.md": reconciliation_table.page,
}
"""The pages of docs that are made of what is measured, by name."""


def write(docs: Path = DOCS) -> None:
    """Write the pages, and the tables of docs/checks.md."""
    for name, make in PAGES.items():
        (docs / name).write_text(make(), encoding="utf-8")
    checks = docs / "checks.md"
    checks.write_text(form_scoreboard.filled(checks.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write()
    board = (DOCS / "scoreboard.md").read_text(encoding="utf-8")
    sys.stdout.write(board.partition("\n## ")[0])
