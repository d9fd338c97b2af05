"""A part of `power-loss` in each run of the suite, a longer one among the slow tests; and the disk that it supposes."""

from random import Random

import pytest

from mohlcv_dagster_tests.campaigns import syscalls
from mohlcv_dagster_tests.campaigns.disk_states import BLOCK, Disk
from mohlcv_dagster_tests.campaigns.power_loss import KINDS
from mohlcv_dagster_tests.campaigns.syscalls import Call
from mohlcv_dagster_tests.campaigns.test_crash_points import campaign, rows

AVAILABLE = pytest.mark.skipif(not syscalls.AVAILABLE, reason="needs Linux and a C compiler")
FIRST = "a raw month"


def call(name, path, other="", *, inode=0, data=b""):
    return Call(name, f"/d/{path}", f"/d/{other}" if other else "", inode, 0, 0, False, data)


def states(calls, before=None):
    """Every tree that a power cut may leave after these calls, each once."""
    disk = Disk({"file": b"old"} if before is None else before, "/d")
    for each in calls:
        disk.make(each)
    return {tuple(sorted(state.items())) for state in disk.states(Random(1), 40)}  # noqa: S311 - chooses, hides nothing


CREATED = [call("opened", "part", inode=7), call("write", "part", inode=7, data=b"new")]
FLUSHED = [*CREATED, call("fsync", "part", inode=7)]
OLD, NEW, PART = ("file", b"old"), ("file", b"new"), ("part", b"new")


def test_a_file_that_was_flushed_and_renamed_is_old_or_new_and_new_once_its_folder_was_flushed():
    renamed = [*FLUSHED, call("rename", "part", "file")]

    assert states(renamed) == {(OLD,), (OLD, PART), (NEW,)}
    assert states([*renamed, call("fsync", "")]) == {(NEW,)}


def test_a_file_that_was_renamed_without_a_flush_may_be_torn():
    found = states([*CREATED, call("rename", "part", "file")])

    assert {(OLD,), (NEW,), (("file", b""),), (("file", b"\0\0\0"),), (("file", b"ne"),)} <= found


def test_each_block_of_a_file_that_was_not_flushed_may_be_there_or_not():
    content = b"a" * BLOCK + b"b" * BLOCK + b"c" * 10
    found = states([call("write", "file", data=content)], {"file": b"0" * (2 * BLOCK)})
    blocks = {(state[0][1][:1], state[0][1][BLOCK : BLOCK + 1], state[0][1][2 * BLOCK :]) for state in found}

    assert {(first, second, b"c" * 10) for first in (b"0", b"a") for second in (b"0", b"b")} <= blocks
    assert (b"0", b"0", b"\0" * 10) in blocks


def test_a_folder_whose_own_folder_was_not_flushed_may_be_gone_with_all_that_is_in_it():
    made = [call("mkdir", "new"), call("opened", "new/file", inode=8), call("fsync", "new")]

    assert states(made, {}) == {(), (("new/file", b""),)}
    assert states([*made, call("fsync", "")], {}) == {(("new/file", b""),)}


def test_names_of_one_file_are_removed_one_by_one():
    linked = [call("link", "file", "kept"), call("fsync", ""), call("unlink", "file")]

    assert states(linked) == {(OLD, ("kept", b"old")), (("kept", b"old"),)}


@pytest.mark.slow
@AVAILABLE
def test_after_a_power_cut_each_file_is_old_or_new_and_verify_says_which():
    code, out, err = campaign("power-loss", "--samples", "1", "--case", FIRST)

    assert code == 0, err
    [row] = rows(out)
    assert int(row[2]) > 15
    assert problems(row) == dict.fromkeys(KINDS, "0")


def problems(row):
    numbers = [*row[3:5], *row[6:9], row[10]]
    return dict(zip(KINDS, numbers, strict=True))


@AVAILABLE
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_after_a_power_cut_in_any_case_each_file_is_old_or_new():
    code, out, err = campaign("power-loss", "--samples", "8")

    assert code == 0, err
    assert [problems(row) for row in rows(out)] == [dict.fromkeys(KINDS, "0")] * 4


@AVAILABLE
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_program_that_does_not_flush_is_found_out():
    code, out, _ = campaign("power-loss", "--samples", "1", "--case", FIRST, "--without", "fsync")
    [row] = rows(out)

    assert code == 1
    assert int(problems(row)["torn"]) > 0
    assert int(problems(row)["not kept at the end"]) > 0
