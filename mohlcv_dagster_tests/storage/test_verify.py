"""Archives verified against manifest entries, which are written by hand here, not by the code that reads them."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest

from mohlcv_dagster.bars import csv_codec, parquet_codec
from mohlcv_dagster.errors import InputError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import RecordedResult
from mohlcv_dagster.storage import manifest
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.verify import DiscrepancyKind, verify
from mohlcv_dagster_tests.checks.clean_files import CLEAN
from mohlcv_dagster_tests.storage.old_trees import put

RAW, AGGREGATE, *_ = CLEAN
MIRROR = "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"


def entry(path, content, **told):
    facts = {
        "schema": 1,
        "file": path,
        "sha256": hashlib.sha256(content).hexdigest(),
        "rows": len(content.splitlines()) - 1,
        "size": len(content),
        "software": "by hand",
        "request_ids": [],
        "checks": [{"name": "readable", "passed": True, "severity": "error", "message": "It is."}],
    }
    unknown = ["first_bar", "last_bar", "vendor", "adjusted", "fetched_at", "complete_through", "state", "raw_sha256"]
    return json.dumps({**dict.fromkeys(unknown), **facts, **told}).encode()


@pytest.fixture
def tree(tmp_path):
    """Four files and their manifest entries."""
    for path, content in CLEAN.items():
        put(tmp_path, path, content)
        put(tmp_path, f"manifest/{path}.json", entry(path, content))
    return tmp_path


def found(folder):
    return [(each.path, each.kind) for each in verify(Archive(folder)).differences]


def test_an_archive_that_is_as_its_manifest_says_has_no_difference(tree):
    proof = verify(Archive(tree))

    assert proof.differences == ()
    assert (proof.files, proof.rows, proof.size) == (4, 15, sum(map(len, CLEAN.values())))


def flip(tree):
    at = tree / RAW
    at.write_bytes(at.read_bytes().replace(b"475.4,", b"475.5,", 1))


def pipe(tree):
    (tree / RAW).unlink()
    os.mkfifo(tree / RAW)


def cut(tree):
    at = tree / RAW
    at.write_bytes(at.read_bytes()[:-10])


def red(name, severity="error"):
    return {"name": name, "passed": False, "severity": severity, "message": "It is not."}


def warn(tree, severity="warn"):
    put(tree, f"manifest/{RAW}.json", entry(RAW, CLEAN[RAW], checks=[red("settled", severity)]))


FAULTS = {
    "a byte that flipped": (
        flip,
        RAW,
        DiscrepancyKind.CHANGED,
        "sha256 is ????????????…, its manifest entry says ????????????…. Copy it again, or*",
    ),
    "a file cut short": (cut, RAW, DiscrepancyKind.CHANGED, "sha256 is *; the size is *, its manifest entry says *"),
    "a file cut after a row": (
        lambda tree: put(tree, RAW, b"".join(CLEAN[RAW].splitlines(keepends=True)[:-1])),
        RAW,
        DiscrepancyKind.CHANGED,
        "*; the number of bars is 5, its manifest entry says 6; *",
    ),
    "a manifest entry with another number of bars": (
        lambda tree: put(tree, f"manifest/{RAW}.json", entry(RAW, CLEAN[RAW], rows=7)),
        RAW,
        DiscrepancyKind.CHANGED,
        (
            "the number of bars is 6, its manifest entry says 7. Copy it again, or materialize raw_1s for SPY 2024-01 "
            "again; `mohlcv adopt --accept-changed` takes it as it is"
        ),
    ),
    "a file without a manifest entry": (
        lambda tree: (tree / f"manifest/{AGGREGATE}.json").unlink(),
        AGGREGATE,
        DiscrepancyKind.NO_ENTRY,
        "nothing is recorded of it: copy its manifest entry too, or register it with `mohlcv adopt`",
    ),
    "a manifest entry without its file": (
        lambda tree: (tree / AGGREGATE).unlink(),
        f"manifest/{AGGREGATE}.json",
        DiscrepancyKind.NO_FILE,
        (
            f"{AGGREGATE} does not exist: copy it again, or materialize aggregated/15s for SPY 2024-01 again; "
            "or delete its manifest entry"
        ),
    ),
    "a manifest entry of no file of the layout": (
        lambda tree: put(tree, "manifest/raw_1s/SPY/SPY.csv.json", b"{}"),
        "manifest/raw_1s/SPY/SPY.csv.json",
        DiscrepancyKind.NO_FILE,
        "it is not the manifest entry of a file of the layout: delete it",
    ),
    "a manifest entry that was cut": (
        lambda tree: put(tree, f"manifest/{RAW}.json", entry(RAW, CLEAN[RAW])[:100]),
        RAW,
        DiscrepancyKind.BAD_ENTRY,
        "*JSONDecodeError*. Copy the manifest entry again, or let `mohlcv adopt` write a new one",
    ),
    "the manifest entry of another file": (
        lambda tree: shutil.copy(tree / f"manifest/{AGGREGATE}.json", tree / f"manifest/{RAW}.json"),
        RAW,
        DiscrepancyKind.BAD_ENTRY,
        f"*: it is the manifest entry of {AGGREGATE}. Copy the manifest entry again, or*",
    ),
    "a check that was red": (
        lambda tree: warn(tree, "error"),
        RAW,
        DiscrepancyKind.FAILED_CHECKS,
        "1 rule failed when it was last checked. settled: It is not.",
    ),
    "more checks that were red than a message names": (
        lambda tree: put(tree, f"manifest/{RAW}.json", entry(RAW, CLEAN[RAW], checks=[red(name) for name in "abcde"])),
        RAW,
        DiscrepancyKind.FAILED_CHECKS,
        "5 rules failed when it was last checked. a: It is not.; b: It is not.; c: It is not.; and 2 more",
    ),
    "a name that is not the layout's": (
        lambda tree: put(tree, "raw_1s/SPY/SPY-2024-02.csv", CLEAN[RAW]),
        "raw_1s/SPY/SPY-2024-02.csv",
        DiscrepancyKind.NO_ENTRY,
        "its name is not in the layout, so nothing reads it: move or rename it",
    ),
    "what a killed writer left": (
        lambda tree: put(tree, "raw_1s/SPY/.SPY_2024_01.csv.0a1b2c3d-1-00000000.part", b"ts"),
        "raw_1s/SPY/.SPY_2024_01.csv.0a1b2c3d-1-00000000.part",
        DiscrepancyKind.LEFTOVER,
        "a writer that was killed left it and nothing reads it: delete it, or write the file again",
    ),
    "a journal of files that are not recorded": (
        lambda tree: put(tree, "manifest/rewritten.txt", b""),
        "manifest/rewritten.txt",
        DiscrepancyKind.LEFTOVER,
        "`mohlcv adopt --rewrite` did not finish: run it again",
    ),
    "a named pipe in the place of a file": (
        pipe,
        RAW,
        DiscrepancyKind.UNREADABLE,
        f"*/{RAW} is a named pipe, not a file: move it away. Copy it again, or materialize raw_1s for SPY 2024-01 *",
    ),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_each_fault_is_the_one_difference_named_with_its_cure(tree, fault):
    make, path, kind, told = FAULTS[fault]
    make(tree)

    [difference] = verify(Archive(tree)).differences

    assert (difference.path, difference.kind) == (path, kind)
    assert fnmatchcase(difference.message, told), difference.message


def test_a_file_that_changed_is_one_difference_whatever_its_rules_said_before(tree):
    warn(tree, "error")
    flip(tree)

    assert found(tree) == [(RAW, DiscrepancyKind.CHANGED)]


def test_verdicts_follow_what_was_judged_last_and_those_of_rules_that_are_gone_are_dropped(tree):
    checks = [
        {"name": name, "passed": passed, "severity": "error", "message": "So."}
        for name, passed in (("equals_recomputation", False), ("rising_time", False), ("settled", False))
    ]
    put(tree, f"manifest/{AGGREGATE}.json", entry(AGGREGATE, CLEAN[AGGREGATE], checks=checks))
    equal = RecordedResult("equals_recomputation", passed=True, severity="error", message="Equal.")

    manifest.update_checks(Archive(tree), BarFile.parse(AGGREGATE), None, [equal], ["rising_time"])

    assert manifest.read(Archive(tree), BarFile.parse(AGGREGATE)).checks == (equal,)
    assert found(tree) == []


def test_a_check_that_warned_is_counted_and_is_no_difference(tree):
    warn(tree)
    proof = verify(Archive(tree))

    assert (proof.differences, proof.warned) == ((), 1)


def mirrored(path, digest=None):
    content = CLEAN[path]
    return parquet_codec.encode(csv_codec.decode(content), digest or hashlib.sha256(content).hexdigest())


@pytest.fixture
def with_mirrors(tree):
    for path in CLEAN:
        at = parquet_codec.path_of(BarFile.parse(path))
        put(tree, str(at), mirrored(path))
    return tree


def test_mirrors_in_step_are_no_difference(with_mirrors):
    assert found(with_mirrors) == []


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (
            lambda tree: put(tree, MIRROR, mirrored(RAW, "00" * 32)),
            "does not match the present raw_1s/SPY/",
        ),
        (lambda tree: (tree / MIRROR).unlink(), "has no mirror, though others have"),
        (lambda tree: put(tree, MIRROR, b"PAR1"), "not a Parquet file"),
    ],
)
def test_a_mirror_that_is_out_of_step_absent_or_broken_is_told(with_mirrors, make, told):
    make(with_mirrors)

    [difference] = verify(Archive(with_mirrors)).differences

    assert (difference.path, difference.kind) == (MIRROR, DiscrepancyKind.MIRROR)
    assert told in difference.message
    assert "MOHLCV_PARQUET=true" in difference.message


def test_every_mirror_that_is_absent_or_broken_is_named(with_mirrors):
    paths = sorted(str(parquet_codec.path_of(BarFile.parse(path))) for path in CLEAN)
    for at, path in enumerate(paths):
        if at % 2:
            put(with_mirrors, path, b"PAR1")
        else:
            (with_mirrors / path).unlink()

    assert found(with_mirrors) == [(path, DiscrepancyKind.MIRROR) for path in paths]


def test_a_mirror_of_no_csv_file_is_told(with_mirrors):
    (with_mirrors / RAW).unlink()
    (with_mirrors / f"manifest/{RAW}.json").unlink()

    [difference] = verify(Archive(with_mirrors)).differences

    assert (difference.path, difference.kind) == (MIRROR, DiscrepancyKind.MIRROR)
    assert difference.message == "the CSV file that it mirrors does not exist: delete it"


def test_the_mirror_of_a_csv_file_that_is_there_and_cannot_be_read_is_not_called_one_without(with_mirrors):
    (with_mirrors / f"manifest/{RAW}.json").unlink()
    pipe(with_mirrors)

    assert found(with_mirrors) == [(RAW, DiscrepancyKind.NO_ENTRY), (RAW, DiscrepancyKind.UNREADABLE)]


def test_a_csv_file_that_is_lost_or_has_changed_is_one_difference_although_it_has_a_mirror(with_mirrors):
    flip(with_mirrors)
    assert found(with_mirrors) == [(RAW, DiscrepancyKind.CHANGED)]

    (with_mirrors / RAW).unlink()
    assert found(with_mirrors) == [(f"manifest/{RAW}.json", DiscrepancyKind.NO_FILE)]


def test_a_folder_that_is_no_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="no archive in"):
        verify(Archive(tmp_path))
    with pytest.raises(InputError, match="no folder"):
        verify(Archive(tmp_path / "absent"))


def test_an_archive_under_a_url_is_verified_as_one_in_a_folder(tree):
    assert verify(Archive(f"local://{tree}")).files == 4


def test_the_command_proves_a_copy_without_dagster_and_pandas(tree, tmp_path_factory):
    copy = tmp_path_factory.mktemp("backup") / "data"
    shutil.copytree(tree, copy)
    said = (
        "import sys\nfrom mohlcv_dagster.cli import main\n"
        "sys.argv = ['mohlcv', 'verify', *sys.argv[1:]]\ntry:\n    main()\n"
        "except SystemExit as left:\n    print(left.code, sorted({'dagster', 'pandas'} & set(sys.modules)))\n"
    )

    def run(*words):
        done = subprocess.run([sys.executable, "-c", said, *words], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    assert run(str(copy)) == [
        f"✓ 4 files, 15 bars, 1.0 kB in {copy}: all as recorded.",
        "0 []",
    ]
    flip(copy)
    *text, code = run(str(copy), "--json")
    assert code == "1 []"
    told = json.loads("\n".join(text))
    assert (told["files"], [each["kind"] for each in told["differences"]]) == (4, ["changed"])
