"""Files of every kind that cannot be one of bars, beside good ones: each gets its verdict, and the others theirs.

All are in one data folder, and each command is called once on such a folder, as a process with a time limit.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from mohlcv_dagster.checks.check_input import NeighbourMonths
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.reader import BarReader
from mohlcv_dagster.storage.verify import verify
from mohlcv_dagster_tests.checks.clean_files import HEADER, WHOLE, WHOLE_15S
from mohlcv_dagster_tests.storage.old_trees import put

ROW = WHOLE.splitlines(keepends=True)[1]
GOOD = {"raw_1s/SPY/SPY_2024_01.csv": WHOLE, "aggregated/15s/SPY_2024_01_15s.csv": WHOLE_15S}
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2


def bar(time, row=ROW):
    return time + row[len(b"2024-01-02 14:30:00+00:00") :]


def bound_socket(at):
    with socket.socket(socket.AF_UNIX) as bound:
        folder = os.open(at.parent, os.O_RDONLY)  # the path itself may be too long for a socket's address
        try:
            bound.bind(f"/proc/self/fd/{folder}/{at.name}")
        finally:
            os.close(folder)


def without_permission(at):
    at.write_bytes(WHOLE)
    at.chmod(0)


def sparse(head, size):
    def make(at):
        at.write_bytes(head)
        os.truncate(at, size)

    return make


def content(text):
    return lambda at: at.write_bytes(text)


def link(target):
    return lambda at: at.symlink_to(target)


def linked_pipe(at):
    pipe = at.with_name("a-pipe")
    os.mkfifo(pipe)
    at.symlink_to(pipe)


KINDS = {
    "named pipe": (os.mkfifo, "named pipe"),
    "link to a named pipe": (linked_pipe, "a link to a named pipe"),
    "link to a device": (link("/dev/zero"), "a link to a device"),
    "socket": (bound_socket, "a socket"),
    "folder": (Path.mkdir, "is a folder"),
    "link to a folder": (link("/"), "a link to a folder"),
    "link to itself": (lambda at: at.symlink_to(at.name), "leads back to itself"),
    "dangling link": (link("nowhere.csv"), ""),
    "file without permission": (without_permission, "Permission denied"),
    "file that the disk does not give": (link("/proc/self/mem"), "could not be read"),
    "bar of 1970": (content(HEADER + bar(b"1970-01-01 00:00:00+00:00")), "1970-01-01"),
    "bar of the year 1": (content(HEADER + bar(b"0001-01-01 00:00:00+00:00")), "1-01-01"),
    "bar of the year 0": (content(HEADER + bar(b"0001-01-01 00:00:00+01:00")), "beyond the years"),
    "bar of 9999": (content(HEADER + bar(b"9999-12-31 23:59:59+00:00")), "9999-12-31"),
    "bar of 10000": (content(HEADER + bar(b"9999-12-31 23:59:59-01:00")), "beyond the years"),
    "quote that is not closed": (content(WHOLE.replace(b",volume", b',"volume', 1)), "the header"),
    "quote over two lines": (content(WHOLE.replace(b"volume", b'"volume\n"', 1)), "the header"),
    "quote within a name": (content(WHOLE.replace(b"open", b'"op"en', 1)), "the header"),
    "NUL bytes behind the bars": (content(WHOLE + b"\0" * 4096), "line 8"),
    "NUL bytes in the header": (content(WHOLE.replace(b"open", b"op\0en", 1)), "has no column 'open'"),
    "nothing but NUL bytes": (content(b"\0" * 4096), "begins with NUL bytes"),
    "line of 20 MB": (sparse(HEADER + b"2024", 20_000_000), "line 2 has 19,999,964 bytes"),
    "header of 20 MB": (sparse(HEADER[:-1] + b",more", 20_000_000), "has more than 65,536 bytes"),
    "column name twice": (content(WHOLE.replace(b"open", b"close", 1)), "'open'"),
    "column too many": (content(WHOLE.replace(b",volume", b",volume,volume", 1)), "more than one column 'volume'"),
}
MONTHS = [f"{year}_{month:02d}" for year in (2010, 2011, 2012) for month in range(1, 13)]
RAW = {kind: f"raw_1s/BAD/BAD_{month}.csv" for kind, month in zip(KINDS, MONTHS, strict=False)}
AGGREGATED = {kind: f"aggregated/15s/BAD_{month}_15s.csv" for kind, month in zip(KINDS, MONTHS, strict=False)}
SPECIAL = tuple(KINDS)[:10]
"""Kinds that cannot be read at all; what is wrong with the others is in their bytes."""


def as_any_user():
    """Take root's right to read every file from the process that starts."""
    libc = ctypes.CDLL(None)
    for right in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, right, 0, 0, 0)


def make_project(folder):
    """Every kind of bad file, raw and aggregated, and two good files."""
    for path, text in GOOD.items():
        put(folder / "data", path, text)
    for places in (RAW, AGGREGATED):
        for kind, path in places.items():
            at = folder / "data" / path
            at.parent.mkdir(parents=True, exist_ok=True)
            KINDS[kind][0](at)


def called(project, *words):
    """The exit code of a command, and its JSON."""
    done = subprocess.run(
        [sys.executable, "-c", "from mohlcv_dagster.cli import main; main()", *words, "--json"],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=as_any_user,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def of_validation(answer):
    """What is told of each file, and which are good."""
    told, good = {}, set()
    for each in answer["files"]:
        path = "/".join(Path(each["path"]).parts[-3:])
        told[path] = " ".join([each["problem"] or "", *(found["fault"] for found in each["findings"])])
        good |= set() if each["worst"] == "error" else {path}
    return told, good


def of_verification(answer):
    told = {}
    for each in answer["differences"]:
        told[each["path"]] = f"{told.get(each['path'], '')} {each['kind']} {each['message']}"
    return told, {path for path, text in told.items() if "unreadable" not in text}


def of_adoption(answer):
    told = {each["path"]: str(each["faults"]) for each in answer["files"]}
    return told, {each["path"] for each in answer["files"] if not each["faults"] and not each["failing checks"]}


COMMANDS = {
    "validate raw": (("validate", "--input-dir", "data/raw_1s", "--timeframe", "1s"), of_validation, [RAW]),
    "validate 15s": (
        ("validate", "--input-dir", "data/aggregated/15s", "--timeframe", "15s"),
        of_validation,
        [AGGREGATED],
    ),
    "verify": (("verify",), of_verification, [RAW, AGGREGATED]),
    "adopt --dry-run": (("adopt", "--dry-run"), of_adoption, [RAW, AGGREGATED]),
    "adopt": (("adopt",), of_adoption, [RAW, AGGREGATED]),
    "adopt --rewrite": (("adopt", "--rewrite"), of_adoption, [RAW, AGGREGATED]),
}
SLOW = {"adopt", "adopt --dry-run", "adopt --rewrite"}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The exit code of each command, what it told of each file, and the files that it found good."""

    @cache
    def of(command):
        project = tmp_path_factory.mktemp("project")
        make_project(project)
        words, read, _ = COMMANDS[command]
        code, answer = called(project, *words)
        return code, *read(answer)

    return of


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "command", [pytest.param(each, marks=[pytest.mark.slow] if each in SLOW else []) for each in COMMANDS]
)
def test_each_bad_file_gets_its_verdict_and_good_files_theirs(answers, command, kind):
    code, told, good = answers(command)

    assert code == 1
    for places in COMMANDS[command][2]:
        path = places[kind]
        if command == "verify" and kind not in SPECIAL:  # it compares bytes with records, of which there are none
            assert "nothing is recorded of it" in told[path]
            continue
        if (kind, command) == ("bar of 1970", "validate 15s") or (kind, command) == (
            "bar of the year 1",
            "validate 15s",
        ):
            continue  # it equals what its raw file gives, which fails
        assert KINDS[kind][1] in told[path]
        assert path not in good
    assert any(path in good for path in GOOD)


@pytest.mark.parametrize("command", ["plan", "doctor"])
def test_commands_that_only_list_files_end_beside_bad_ones(tmp_path, command):
    make_project(tmp_path)
    words = {
        "plan": ("--symbol", "BAD,SPY", "--start", "2010-01-01", "--end", "2024-01-31"),
        "doctor": ("--offline",),
    }
    _, answer = called(tmp_path, command, *words[command])

    if command == "plan":
        assert answer["partitions"]["all"] == 2 * 169
    else:
        found = " ".join(each["found"] for each in answer["findings"])
        assert f"{2 * len(KINDS) + 2} files of bars" in found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["named pipe", "link to a device", "folder"])
def test_a_month_is_not_fetched_into_what_is_no_file_and_others_are(project, mohlcv, vendor, kind):
    at = project / "data/raw_1s/ABC/ABC_2024_01.csv"
    at.parent.mkdir(parents=True)
    KINDS[kind][0](at)
    before = at.lstat()
    said = mohlcv("fetch", "--symbol", "ABC", "--start", "2024-01-01", "--end", "2024-02-28")

    assert said.code == 1
    assert "move it away" in said.out + said.err
    assert (at.lstat().st_ino, at.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert (at.parent / "ABC_2024_02.csv").is_file()


@pytest.mark.parametrize("kind", SPECIAL[:7])
def test_the_reader_says_of_what_is_no_file_that_it_cannot_be_read(tmp_path, kind):
    file = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
    at = tmp_path / str(file.path)
    at.parent.mkdir(parents=True)
    KINDS[kind][0](at)

    results = BarReader(Archive(tmp_path)).check(file, None, NeighbourMonths()).results

    assert [each.rule.name for each in results if not each.passed] == ["readable"]


@pytest.mark.parametrize("kind", SPECIAL[:8])
@pytest.mark.parametrize(
    "path", [f"manifest/{next(iter(GOOD))}.json", "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"]
)
def test_what_is_in_the_place_of_an_entry_or_a_mirror_is_a_difference_and_the_others_are_verified(tmp_path, path, kind):
    for good, text in GOOD.items():
        put(tmp_path, good, text)
    at = tmp_path / path
    at.parent.mkdir(parents=True)
    KINDS[kind][0](at)

    differences = verify(Archive(tmp_path)).differences

    assert {each.path for each in differences} >= set(GOOD)
    if "parquet" in path or kind != "dangling link":
        assert any(KINDS[kind][1] in each.message for each in differences)
