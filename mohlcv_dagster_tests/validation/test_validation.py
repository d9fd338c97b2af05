import json
import os
import re
from datetime import UTC, datetime
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from mohlcv_dagster.checks import registry, runner
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.model import manifest_entry, timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import list_folder
from mohlcv_dagster.storage.locations import resolve_path
from mohlcv_dagster.validation import folder_check, report_forms
from mohlcv_dagster.validation.folder_check import FileRecord
from mohlcv_dagster.validation.report import ValidationReport, collect
from mohlcv_dagster_tests.checks.clean_files import WHOLE, WHOLE_15S

SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
SPY_15S = BarFile.parse("aggregated/15s/SPY_2024_01_15s.csv")
CROOKED = WHOLE.replace(b"475.4,475.41,475.39,475.4,100", b"475.4,475.31,475.39,475.4,100")
OFF_BY_ONE = WHOLE_15S.replace(b"15634", b"15635")
SIBLING = b"ts_event,rtype,open,high,low,close,volume,symbol\n" + b"".join(
    b",".join([time, b"32", rest, b"SPY\n"])
    for time, _, rest in (line.partition(b",") for line in WHOLE.splitlines()[1:])
)


def unknown(_file):
    return None


def judged(folder, timeframe, *, raw=None, known=unknown):
    return list(folder_check.check_files(list_folder(str(folder), timeframe), raw, known))


def said(findings):
    return [(found.rule.name, found.passed, found.severity, found.count, found.message) for found in findings]


def report_of(tmp_path, content=CROOKED):
    Archive(tmp_path).write(SPY, content)
    report = ValidationReport("raw <1s>", "1s", None, datetime(2026, 3, 2, 12, tzinfo=UTC), "1.2.3")
    entries = list(collect(report, judged(tmp_path / "raw_1s", RAW)))
    assert entries == report.entries
    return report


@pytest.mark.parametrize("content", [WHOLE, CROOKED, SIBLING, b"nonsense", b""], ids=list("wcsne"))
def test_what_is_found_of_a_raw_file_is_what_the_rules_find_but_those_on_a_record_are_skipped(tmp_path, content):
    Archive(tmp_path).write(SPY, content)
    [found] = judged(tmp_path / "raw_1s", RAW)
    by_the_rules = [
        each
        for each in said(runner.check_file(CheckInput.of(SPY, content)))
        if each[0] not in registry.PROVENANCE_RULES
    ]

    assert said(found.findings) == by_the_rules
    if found.rows is None:
        assert [each.rule.name for each in found.findings] == ["readable"]
        assert {why for _, why in found.skipped} == {"the file cannot be read"}
    else:
        assert {rule.name for rule, _ in found.skipped} == {
            "as_recorded",
            "split_basis",
            "same_company",
            "settled",
            "revised",
        }
        assert {why for _, why in found.skipped} == {folder_check.NO_RECORD}


@pytest.mark.parametrize("content", [WHOLE_15S, OFF_BY_ONE, b"nonsense"], ids=list("won"))
def test_what_is_found_of_an_aggregate_is_what_the_rules_find_beside_its_raw_file(tmp_path, content):
    archive = Archive(tmp_path)
    archive.write(SPY, WHOLE)
    archive.write(SPY_15S, content)
    [found] = judged(tmp_path / "aggregated/15s", SPY_15S.timeframe, raw=resolve_path(tmp_path / "raw_1s"))
    by_the_rules = runner.check_file(CheckInput.of(SPY_15S, content, raw=WHOLE))

    assert said(found.findings) == [each for each in said(by_the_rules) if each[0] not in registry.PROVENANCE_RULES]


def entry_of(file, content):
    return ManifestEntry.of(file, Provenance(rows=6, sha256=sha256(content).hexdigest(), vendor="Massive.com"), "test")


def test_a_file_is_compared_with_the_manifest_entry_beside_it(tmp_path):
    archive = Archive(tmp_path)
    archive.write(SPY, WHOLE.replace(b"15234", b"15235"))
    manifest.write(archive, SPY, entry_of(SPY, WHOLE))
    [altered] = judged(tmp_path / "raw_1s", RAW)
    archive.write(SPY, WHOLE)
    [sound] = judged(tmp_path / "raw_1s", RAW)

    assert [each.rule.name for each in altered.findings if not each.passed and each.severity == "error"] == [
        "as_recorded"
    ]
    assert "its sha256 is" in next(each.message for each in altered.findings if each.rule.name == "as_recorded")
    assert not [each for each in sound.findings if not each.passed and each.severity == "error"]
    assert not altered.skipped
    assert not sound.skipped


@pytest.mark.parametrize("content", [b"{}", b"\xff", entry_of(SPY_15S, WHOLE).encode()])
def test_an_entry_that_is_not_one_of_the_file_records_nothing(tmp_path, content):
    Archive(tmp_path).write(SPY, WHOLE)
    Archive(tmp_path).write_path(manifest_entry.path_of(SPY), content)
    [found] = judged(tmp_path / "raw_1s", RAW)

    assert {why for _, why in found.skipped} == {folder_check.NO_RECORD}


def test_an_aggregate_without_raw_files_is_judged_by_itself_and_the_rest_is_no_pass(tmp_path):
    Archive(tmp_path).write(SPY_15S, OFF_BY_ONE)
    [found] = judged(tmp_path / "aggregated/15s", SPY_15S.timeframe)

    assert [each.rule.name for each in found.findings if not each.passed] == []
    without_raw = [rule.name for rule, why in found.skipped if why == folder_check.NO_RAW]
    assert without_raw == ["volume_type", "volume_conserved", "equals_recomputation"]


@pytest.mark.parametrize(("raw", "why"), [(None, "is absent"), (b"nonsense", "cannot be read")])
def test_an_aggregate_whose_raw_file_is_missing_among_others_is_one_error_with_the_cure_of_that(tmp_path, raw, why):
    Archive(tmp_path).write(SPY_15S, WHOLE_15S)
    (tmp_path / "raw_1s").mkdir()
    if raw is not None:
        Archive(tmp_path).write(SPY, raw)
    report = ValidationReport("x/15s", "15s", "raws", datetime(2026, 3, 2, tzinfo=UTC), "1")
    folder = tmp_path / "aggregated/15s"
    [entry] = collect(report, judged(folder, SPY_15S.timeframe, raw=resolve_path(tmp_path / "raw_1s")))
    [fault] = entry.faults

    assert (report.failed, entry.worst, fault.rule, fault.path) == (True, "error", "readable", str(SPY.path))
    assert fault.fault.startswith(f"{SPY.path} {why}")
    assert "materialize raw_1s for SPY 2024-01" in fault.cure
    without_raw = [rule for rule, reason in entry.skipped if reason == f"its raw file {why}"]
    assert without_raw == ["volume_type", "volume_conserved", "equals_recomputation"]
    [told] = json.loads(report_forms.to_json(report))["files"][0]["findings"]
    assert (told["rule"], told["file"]) == ("readable", str(SPY.path))
    assert report.command(entry) == (
        "mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-01-31 --force --output-dir raws"
    )


def test_an_aggregate_that_cannot_be_read_is_one_fault_whatever_its_raw_file_is(tmp_path):
    Archive(tmp_path).write(SPY_15S, b"nonsense")
    (tmp_path / "raw_1s").mkdir()
    for raw in (None, resolve_path(tmp_path / "raw_1s")):
        [found] = judged(tmp_path / "aggregated/15s", SPY_15S.timeframe, raw=raw)

        assert [each.rule.name for each in found.findings] == ["readable"]
        assert found.raw is None
        assert {why for _, why in found.skipped} == {"the file cannot be read"}


def test_an_aggregate_that_equals_what_its_raw_file_gives_is_not_put_to_the_rules_that_say_how_it_differs(tmp_path):
    archive = Archive(tmp_path)
    archive.write(SPY, WHOLE)
    archive.write(SPY_15S, WHOLE_15S)
    [found] = judged(tmp_path / "aggregated/15s", SPY_15S.timeframe, raw=resolve_path(tmp_path / "raw_1s"))

    assert [each.rule.name for each in found.findings if not each.passed] == []
    equal = {rule.name for rule, why in found.skipped if why.startswith("the file equals, bar for bar")}
    assert {"volume_conserved", "aligned", "rising_time", "not_empty"} <= equal


def test_what_was_recorded_of_a_file_is_judged_where_it_is_known(tmp_path):
    Archive(tmp_path).write(SPY, WHOLE)
    other = Provenance(
        6, "0" * 64, fetched_at=datetime(2024, 3, 1, tzinfo=UTC), complete_through=SPY.month.end, adjusted=False
    )
    [found] = judged(tmp_path / "raw_1s", RAW, known=lambda _: FileRecord(other))

    assert [rule.name for rule, _ in found.skipped] == []
    verdicts = {each.rule.name: each.passed for each in found.findings}
    assert [verdicts[name] for name in ("as_recorded", "settled", "revised", "split_basis")] == [
        False,
        True,
        True,
        True,
    ]


def test_rules_that_ask_the_vendor_are_named_as_not_judged(tmp_path):
    minute = timeframes.parse("1min")
    Archive(tmp_path).write(BarFile("SPY", minute, SPY.month), WHOLE_15S)
    [found] = judged(tmp_path / "aggregated/1min", minute)

    assert [rule.name for rule, why in found.skipped if why == folder_check.NOT_ASKED] == [
        "vendor_minutes",
        "volume_ladder",
        "thin_seconds",
    ]


def test_a_file_that_the_disk_refuses_is_an_error_and_the_others_are_judged(tmp_path, monkeypatch):
    Archive(tmp_path).write(SPY, WHOLE)
    Archive(tmp_path).write(BarFile.parse("raw_1s/SPY/SPY_2024_02.csv"), WHOLE)
    opened = os.open

    def refused(path, *how, **where):
        if Path(path).name == "SPY_2024_01.csv":
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **where)

    monkeypatch.setattr(os, "open", refused)
    report = ValidationReport("x", "1s", None, datetime(2026, 3, 2, tzinfo=UTC), "1")
    first, second = collect(report, judged(tmp_path / "raw_1s", RAW))

    assert (first.worst, report.failed) == ("error", True)
    assert "Permission denied" in first.problem
    assert second.problem is None


def test_a_report_has_the_worst_of_each_file_and_of_each_finding_the_cure_and_the_bars(tmp_path):
    report = report_of(tmp_path)
    [entry] = report.entries
    crooked = next(fault for fault in entry.faults if fault.rule == "ohlc_order")

    assert (report.failed, entry.worst, entry.rows) == (True, "error", 6)
    assert crooked.fault.startswith("1 of 6 bars has high below open, low or close")
    assert crooked.fault.endswith("(open 475.4, high 475.31, low 475.39, close 475.4).")
    assert crooked.cure.startswith("Re-materialize raw_1s for SPY 2024-01")
    assert dict(zip(crooked.columns, crooked.sample[0], strict=True))["ts_event"] == "2024-01-02 14:30:01Z"
    assert entry.faults[0] is crooked  # errors stand before warnings


def test_warnings_alone_are_no_failure_and_that_is_said(tmp_path):
    report = report_of(tmp_path, WHOLE)

    assert not report.failed
    assert report.summary == (
        "1 file checked: 0 with errors, 1 with warnings alone, 0 without either. "
        "Look at the warnings; the bars can be used."
    )


def test_the_three_forms_tell_the_same(tmp_path):
    report = report_of(tmp_path)
    report.skipped.append(("/x/notes.txt", "not named as the layout has it"))
    told = json.loads(report_forms.to_json(report))
    [file] = told["files"]
    text, page = report_forms.to_text(report), report_forms.to_html(report)

    assert (told["ok"], told["counts"]) == (False, {"files": 1, "error": 1, "warn": 0, "ok": 0})
    assert [found["rule"] for found in file["findings"]] == [fault.rule for fault in report.entries[0].faults]
    assert file["findings"][0]["sample"] == [
        {
            "ts_event": "2024-01-02 14:30:01Z",
            "open": "475.4",
            "high": "475.31",
            "low": "475.39",
            "close": "475.4",
            "volume": "100",
        }
    ]
    for found in file["findings"]:
        for form in (text, _seen(page)):
            assert found["rule"] in form
            assert found["fault"] in form
            assert found["cure"] in form
    for form in (text, _seen(page)):
        assert "2024-01-02 14:30:01Z" in form
        assert "as_recorded, split_basis, same_company, settled, revised (nothing is recorded of this file" in form
        assert "/x/notes.txt" in form
        assert file["command"] in form


class _Page(HTMLParser):
    """What of a page is open, what it refers to, and its text."""

    def __init__(self):
        super().__init__()
        self.open, self.referred, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag != "meta":
            self.open.append(tag)
        self.referred += [value for name, value in attrs if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def _read(page):
    parser = _Page()
    parser.feed(page)
    assert parser.open == []
    return parser


def _seen(page):
    return " ".join(_read(page).text)


def test_the_page_stands_alone_is_well_formed_knows_the_dark_and_escapes_what_it_shows(tmp_path):
    page = report_forms.to_html(report_of(tmp_path))

    assert all(target.startswith("#") for target in _read(page).referred)
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    assert "raw <1s>" not in page
    assert "raw &lt;1s&gt;" in page
    assert re.findall(r'href="#([^"]+)"', page) == ["SPY-2024-01"] * 2  # of the heat map and of the table
    assert re.findall(r' id="([^"]+)"', page).count("SPY-2024-01") == 1


def test_the_page_has_a_cell_for_each_month_of_each_symbol_and_errors_first(tmp_path):
    archive = Archive(tmp_path)
    for name, content in (("A/A_2024_01", WHOLE), ("A/A_2024_03", WHOLE), ("B/B_2024_03", CROOKED)):
        archive.write(BarFile.parse(f"raw_1s/{name}.csv"), content)
    report = ValidationReport("raw", "1s", None, datetime(2026, 3, 2, 12, tzinfo=UTC), "1.2.3")
    list(collect(report, judged(tmp_path / "raw_1s", RAW)))
    page = report_forms.to_html(report)
    cells = re.findall(r'<(?:a|span) class="(\w+)"[^>]* title="([AB] [^"]+)"', page)

    assert cells == [
        ("warn", "A 2024-01: warning"),
        ("none", "A 2024-02: no file"),
        ("error", "A 2024-03: error"),  # bars of January are in it
        ("none", "B 2024-01: no file"),
        ("none", "B 2024-02: no file"),
        ("error", "B 2024-03: error"),
    ]
    assert re.findall(r"<h2>([AB] \S+) ", page) == ["A 2024-03", "B 2024-03", "A 2024-01"]
    assert [entry.label for entry in report.entries] == ["A 2024-01", "A 2024-03", "B 2024-03"]


def test_a_long_list_of_bars_is_cut_and_the_rest_counted(tmp_path):
    lines = [f"2024-01-02 14:{at // 60:02d}:{at % 60:02d}+00:00,1.0,1.0,2.0,1.0,5\n" for at in range(50)]
    report = report_of(tmp_path, b"ts_event,open,high,low,close,volume\n" + "".join(lines).encode())
    crooked = report.entries[0].faults[0]

    assert (crooked.rule, crooked.count, len(crooked.sample)) == ("ohlc_order", 50, 20)
    assert "… and 30 more bars" in report_forms.to_text(report)
    assert "… and 30 more bars" in report_forms.to_html(report)


def test_the_command_that_makes_a_file_anew_names_its_own_folders(tmp_path):
    [entry] = report_of(tmp_path).entries
    own = ValidationReport("a b/raw_1s/SPY", "1s", None, datetime(2026, 3, 2, tzinfo=UTC), "1")

    assert own.command(entry) == (
        "mohlcv fetch --symbol SPY --start 2024-01-01 --end 2024-01-31 --force --output-dir 'a b/raw_1s'"
    )
