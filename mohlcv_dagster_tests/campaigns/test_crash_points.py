"""A part of `crash-points` in each run of the suite, a longer one among the slow tests; and that it sees every call."""

import errno
import re
import shutil
import subprocess
import sys
from collections import Counter

import pytest

from mohlcv_dagster_tests.campaigns import syscalls
from mohlcv_dagster_tests.campaigns.crash_points import CASES, KINDS, sampled

pytestmark = pytest.mark.skipif(not syscalls.AVAILABLE, reason="needs Linux and a C compiler")

MODULE = "mohlcv_dagster_tests.campaigns"
PROGRAM = """
import os, sys
from mohlcv_dagster_tests.campaigns import syscalls
from mohlcv_dagster_tests.campaigns.syscalls import Fault, in_fork
{body}
"""
IN_PLACE = """
def work():
    with open("file", "wb", buffering=0) as out:
        out.write(b"first ")
        out.write(b"second")

os.chdir(sys.argv[1])
ended = in_fork(work, os.getcwd(), at={at}, fault=Fault.{fault}, error={error})
print(ended.code, [call.name for call in ended.hits], open("file").read() if os.path.exists("file") else None)
"""
STORED = """
from pathlib import Path
from mohlcv_dagster_tests.campaigns import projects
from mohlcv_dagster_tests.campaigns.power_loss import JANUARY, OLD
work = projects.commands(Path(sys.argv[1]), "", projects.store(OLD, [JANUARY]))
ended = in_fork(work, sys.argv[1] + "/data")
print(ended.code, *(call.name for call in syscalls.points(ended.calls)))
"""
CHANGES = "open,openat,creat,write,pwrite64,writev,pwritev,rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir"
MORE = "mkdirat,rmdir,ftruncate,truncate,fsync,fdatasync,fallocate,chmod,fchmod,fchmodat,utimensat,symlink,symlinkat"
SAME = {"openat": "open", "creat": "open", "pwrite64": "pwrite", "renameat": "rename", "renameat2": "rename"}
SAME |= {"linkat": "link", "unlinkat": "unlink", "mkdirat": "mkdir", "fchmod": "chmod", "fchmodat": "chmod"}
SAME |= {"utimensat": "utime"}


def program(body, folder, before=()):
    """The output of a program with the library loaded."""
    environment = syscalls.environment()
    words = [*before, sys.executable, "-c", PROGRAM.format(body=body), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def campaign(*words):
    done = subprocess.run(
        [sys.executable, "-m", MODULE, *words], capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr


def rows(told):
    """The lines of a table in Markdown, without its head."""
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in told.splitlines()[2:]]


@pytest.mark.parametrize(
    ("at", "fault", "error", "due"),
    [
        (1, "KILL", 0, "-9 ['open'] None"),
        (2, "KILL", 0, "-9 ['write'] "),
        (3, "KILL", 0, "-9 ['write'] first "),
        (4, "KILL", 0, "0 [] first second"),
        (3, "ERROR", errno.EIO, "70 ['write'] first "),
        (3, "SHORT", 0, "0 ['write'] first sec"),
        (2, "FULL", errno.ENOSPC, "70 ['write'] "),
    ],
)
def test_a_fault_strikes_at_its_call_and_a_file_written_in_place_is_seen_half(tmp_path, at, fault, error, due):
    assert program(IN_PLACE.format(at=at, fault=fault, error=error), tmp_path) == f"{due}\n"


@pytest.mark.slow
def test_what_a_backfill_writes_is_whole_wherever_it_is_broken_off():
    code, out, err = campaign("crash-points", "--case", "what a backfill writes", "--most", "2")

    assert code == 0, err
    assert [row[-len(KINDS) :] for row in rows(out)] == [["0"] * len(KINDS)] * 5
    assert [row[2] for row in rows(out)] == ["2"] * 5


@pytest.mark.slow
def test_a_month_that_is_revised_loses_nothing_of_what_it_was_wherever_it_is_broken_off():
    code, out, err = campaign("crash-points", "--case", "revised", "--fault", "kill", "--most", "8")

    assert code == 0, err
    assert [row[-len(KINDS) :] for row in rows(out)] == [["0"] * len(KINDS)]


@pytest.mark.slow
def test_a_month_that_is_revised_loses_nothing_at_any_call_and_by_any_fault():
    code, out, err = campaign("crash-points", "--case", "revised")

    assert code == 0, err
    assert {cell for row in rows(out) for cell in row[-len(KINDS) :]} == {"0"}
    assert min(int(row[2]) for row in rows(out) if row[1] != "half of a write") > 20


def test_points_are_spread_over_all_calls():
    assert sampled([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 4) == [1, 3, 6, 8]
    assert sampled([1, 2, 3], None) == [1, 2, 3]
    assert sampled([1, 2, 3], 500) == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_command_is_whole_wherever_it_is_broken_off():
    code, out, err = campaign("crash-points", "--most", "2", "--home", "6")

    assert code == 0, err
    assert {row[0] for row in rows(out)} == {case.name for case in CASES}
    assert {cell for row in rows(out) for cell in row[-len(KINDS) :]} == {"0"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_no_call_that_strace_sees_is_missed(tmp_path):
    (tmp_path / "data").mkdir()
    listed = tmp_path / "strace.txt"
    before = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={CHANGES},{MORE}", "-o", str(listed)]
    code, *seen = program(STORED, tmp_path, before).split()

    assert code == "0"
    lines = [line for line in listed.read_text().splitlines() if f"{tmp_path}/data" in line]
    calls = [re.match(r"\d+ +(\w+)\((.*)", line).groups() for line in lines if "resumed>" not in line]
    names = [SAME.get(name, name) for name, told in calls if name != "openat" or "O_CREAT" in told]
    assert Counter(names) == Counter(seen)
