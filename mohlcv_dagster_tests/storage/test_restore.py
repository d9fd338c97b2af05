"""One flipped bit anywhere in an archive is found, and put right where a recorded digest proves the bytes."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster import cli
from mohlcv_dagster.bars import csv_codec, parquet_codec, trade_figures
from mohlcv_dagster.errors import FileError, InputError
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.manifest_entry import ManifestEntry
from mohlcv_dagster.storage.archive import Archive
from mohlcv_dagster.storage.inventory import Inventory, ListedFile
from mohlcv_dagster.storage.restore import restore
from mohlcv_dagster.storage.verify import Subset, verify
from mohlcv_dagster_tests.checks.clean_files import CLEAN
from mohlcv_dagster_tests.storage.old_trees import put

RAW, AGGREGATE, FRACTIONAL, _ = CLEAN
ENTRY = f"manifest/{RAW}.json"
MIRROR = "parquet/timeframe=1s/symbol=SPY/month=2024-01/SPY_2024_01.parquet"
FRACTIONAL_MIRROR = "parquet/timeframe=1s/symbol=SPY/month=2026-03/SPY_2026_03.parquet"


def described(path, content):
    rows, digest = len(content.splitlines()) - 1, hashlib.sha256(content).hexdigest()
    return ManifestEntry(file=path, sha256=digest, rows=rows, size=len(content), software="by hand").encode()


@pytest.fixture
def tree(tmp_path):
    """Four files with their entries and mirrors."""
    folder = tmp_path / "data"
    for path, content in CLEAN.items():
        put(folder, path, content)
        put(folder, f"manifest/{path}.json", described(path, content))
        mirror = parquet_codec.encode(csv_codec.decode(content), hashlib.sha256(content).hexdigest())
        put(folder, str(parquet_codec.path_of(BarFile.parse(path))), mirror)
    assert verify(Archive(folder)).differences == ()
    return folder


@pytest.fixture
def copy(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "copy")


def flip(content, bit):
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def damage(tree, *paths):
    """Flip a bit of files; of a mirror its first page is gone: most of its bits are not needed to read the bars."""
    for path in paths:
        content = (tree / path).read_bytes()
        damaged = (
            content[:4] + bytes(60) + content[64:] if path.endswith(".parquet") else flip(content, 4 * len(content))
        )
        (tree / path).write_bytes(damaged)


def contents(folder):
    return {str(at.relative_to(folder)): at.read_bytes() for at in folder.rglob("*") if at.is_file()}


def repaired(tree, copy=None):
    archive = Archive(tree)
    return restore(archive, verify(archive), Archive(copy) if copy else None)


@pytest.mark.parametrize("path", [RAW, ENTRY, MIRROR])
def test_a_flipped_bit_at_any_byte_is_found(tree, path):
    content = (tree / path).read_bytes()
    for at in range(0, len(content), 1 if path == RAW else 7):
        (tree / path).write_bytes(flip(content, 8 * at + at % 8))
        assert verify(Archive(tree), lambda each: str(each.bars and each.bars.path) == RAW).differences, at


@pytest.mark.parametrize("path", [RAW, MIRROR])
def test_each_flipped_bit_of_a_mirror_is_found(tree, path):
    content = (tree / MIRROR).read_bytes()
    digest = parquet_codec.csv_digest(content)
    for bit in range(0, 8 * len(content), 3 if path == RAW else 11):
        try:
            assert parquet_codec.csv_digest(flip(content, bit)) != digest, bit
        except FileError:
            continue


DAMAGES = {
    "a file of bars": [RAW],
    "one with fractional volumes": [FRACTIONAL],
    "a mirror": [MIRROR],
    "an aggregate and the mirror of another file": [AGGREGATE, MIRROR],
}


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_file_and_its_mirror_are_restored_from_each_other(tree, damaged):
    before = contents(tree)
    damage(tree, *DAMAGES[damaged])

    left, restored = repaired(tree)

    assert left.differences == ()
    assert {each.path for each in restored} == set(DAMAGES[damaged])
    assert contents(tree) == before


@pytest.mark.parametrize(
    "damaged", [[ENTRY], [RAW, MIRROR], [ENTRY, MIRROR], [RAW, FRACTIONAL, MIRROR, FRACTIONAL_MIRROR]]
)
def test_what_is_damaged_together_is_restored_from_a_copy_and_only_from_it(tree, copy, damaged):
    before = contents(tree)
    damage(tree, *damaged)
    spoilt = contents(tree)

    left, restored = repaired(tree)
    assert left.differences
    assert contents(tree) == spoilt or damaged == [ENTRY, MIRROR]
    left, restored = repaired(tree, copy)

    assert (left.differences, contents(tree)) == ((), before)
    assert {each.path for each in restored} == set(damaged)
    assert contents(copy) == before


def test_a_mirror_is_restored_with_its_trades_from_the_copys_and_without_them_from_the_file_of_bars(tree, copy):
    bars = csv_codec.decode(CLEAN[RAW])
    figures = trade_figures.of(np.arange(1.0, bars.num_rows + 1), np.full(bars.num_rows, 475.5))
    counted = parquet_codec.encode(bars, hashlib.sha256(CLEAN[RAW]).hexdigest(), figures)
    put(copy, MIRROR, counted)
    for source, trades in ((Archive(copy), bars.num_rows), (None, 0)):
        damage(tree, MIRROR)
        left, [restored] = restore(Archive(tree), verify(Archive(tree)), source)
        assert left.differences == ()
        assert ("without trades" in restored.message) is (source is None)
        found = parquet_codec.decode_figures((tree / MIRROR).read_bytes())
        assert np.count_nonzero(~np.isnan(np.array(found["trades"]))) == trades
    assert (tree / MIRROR).read_bytes() != counted


def test_files_that_are_gone_are_restored_from_the_copy(tree, copy):
    before = contents(tree)
    for path in (RAW, ENTRY.replace(RAW, AGGREGATE), MIRROR):
        (tree / path).unlink()

    assert repaired(tree, copy)[0].differences == ()
    assert contents(tree) == before


@pytest.mark.parametrize("also", [[], [MIRROR]])
def test_nothing_is_restored_that_no_recorded_digest_proves(tree, copy, also):
    """The copy has another, later month, which nothing here tells of: it may be right, and is not proven."""
    later = CLEAN[RAW].replace(b"475.4,", b"475.39,")
    put(copy, RAW, later)
    put(copy, ENTRY, described(RAW, later))
    damage(tree, RAW, ENTRY, *also)
    before = contents(tree)

    left, restored = repaired(tree, copy)

    assert (restored, contents(tree)) == ([], before)
    assert {each.path for each in left.differences} >= {RAW}


def test_what_is_not_a_file_stays_and_the_others_are_restored(tree, copy):
    before = contents(tree)
    damage(tree, FRACTIONAL)
    (tree / RAW).unlink()
    os.mkfifo(tree / RAW)

    left, restored = repaired(tree, copy)

    assert [each.path for each in restored] == [FRACTIONAL]
    assert {each.path for each in left.differences} >= {RAW}
    assert (tree / RAW).is_fifo()
    assert contents(tree) == {path: content for path, content in before.items() if path != RAW}


def test_a_copy_that_is_damaged_itself_restores_nothing(tree, copy):
    damage(tree, RAW, MIRROR)
    damage(copy, RAW, MIRROR)
    before = contents(tree)

    assert repaired(tree, copy)[1] == []
    assert contents(tree) == before


def test_the_mirror_of_an_earlier_version_is_compared_by_its_bars(tree):
    """It has no checksum, so that a bit of its statistics is not found; one of its bars is."""
    other = CLEAN[RAW].replace(b"475.4,", b"475.39,")
    digest = hashlib.sha256(CLEAN[RAW]).hexdigest()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet_codec.pq.ParquetWriter, "add_key_value_metadata", lambda *_: None)
        former, wrong = (parquet_codec.encode(csv_codec.decode(each), digest) for each in (CLEAN[RAW], other))
    put(tree, MIRROR, former)
    assert verify(Archive(tree)).differences == ()

    put(tree, MIRROR, wrong)
    assert [each.path for each in verify(Archive(tree)).differences] == [MIRROR]


PATHS = st.one_of(
    st.sampled_from([*CLEAN, ENTRY, MIRROR, "raw_1s/SPY/SPY-2024.csv", "manifest/rewritten.txt"]),
    st.builds(
        "raw_1s/{0}/{0}_{1}_{2:02d}.csv".format,
        st.text("ABCXYZ", min_size=1, max_size=4),
        st.integers(2003, 2026),
        st.integers(1, 12),
    ),
)


@given(PATHS, st.integers(1, 400))
def test_each_file_is_in_exactly_one_part(path, of):
    assert sum(Subset(number, of).holds(ListedFile.at(path)) for number in range(1, of + 1)) == 1


def test_everything_of_a_month_is_in_the_same_part_whatever_the_machine(tree):
    parts = {
        str(each.bars.month): {number for number in range(1, 31) if Subset(number, 30).holds(each)}
        for each in Inventory.of(Archive(tree).root).files
    }
    # sha256sum of `2024-01|SPY` and `2026-03|SPY`, modulo 30, plus 1
    assert parts == {"2024-01": {5}, "2026-03": {16}}


def test_a_part_finds_what_is_wrong_in_it_and_nothing_else(tree):
    damage(tree, RAW, FRACTIONAL)
    found = {number: verify(Archive(tree), Subset(number, 30).holds) for number in range(1, 31)}

    assert {each.path for part in found.values() for each in part.differences} == {RAW, FRACTIONAL}
    assert sum(len(part.differences) for part in found.values()) == 2
    assert sum(part.files for part in found.values()) == len(CLEAN)


def test_the_first_and_the_last_part_are_parts():
    assert [Subset.parse(text) for text in ("1/1", "1/30", "30/30")] == [Subset(1, 1), Subset(1, 30), Subset(30, 30)]


@pytest.mark.parametrize("text", ["", "1", "0/30", "31/30", "1/0", "-1/3", "1/3/3", "1.0/3", "\u0661/3", "1/9999999"])
def test_a_part_that_there_is_not_is_refused(text):
    with pytest.raises(InputError, match="write one as 1/30"):
        Subset.parse(text)


def test_the_command_restores_and_tells_what_it_did_and_what_is_left(tree, copy, monkeypatch, capsys):
    monkeypatch.chdir(tree.parent)

    def said(*words):
        code = cli.mohlcv.main(["verify", str(tree), *words], prog_name="mohlcv", standalone_mode=False)
        return code, capsys.readouterr().out

    damage(tree, RAW, ENTRY)
    assert said()[0] == 1
    assert said("--subset", "6/30")[0] == 0
    assert said("--subset", "5/30")[0] == 1
    code, out = said("--repair")
    assert (code, "restored" in out) == (1, False)
    damage(tree, RAW)  # back as it was: the entry is what is left
    code, out = said("--repair", "--from", str(copy), "--json")
    assert (code, [each["path"] for each in json.loads(out)["restored"]]) == (0, [ENTRY])
    damage(tree, AGGREGATE)
    code, out = said("--repair")
    assert code == 0
    assert f"✓ {AGGREGATE}  restored: from parquet/timeframe=15s/" in out
    assert "all as recorded." in out
    with pytest.raises(InputError, match="add --repair"):
        said("--from", str(copy))
