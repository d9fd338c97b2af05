import os
from pathlib import Path

import pytest

from mohlcv_dagster.bars import parquet_codec
from mohlcv_dagster.errors import FileMissingError
from mohlcv_dagster.model import manifest_entry, timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.timeframes import RAW
from mohlcv_dagster.storage import inventory
from mohlcv_dagster.storage.inventory import FileKind, Inventory, ListedFile, SkippedFile, list_folder
from mohlcv_dagster.storage.locations import resolve_path

MINUTE = timeframes.parse("1min")
SPY = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")

WHAT_IS_IN_A_DATA_FOLDER = {
    "aggregated/1min/SPY_2024_01.csv": (FileKind.FOREIGN, None),
    "aggregated/1min/SPY_2024_01_1min.csv": (FileKind.BARS, BarFile("SPY", MINUTE, SPY.month)),
    "aggregated/1min/upload.part": (FileKind.OTHER, None),
    "manifest/notes.csv": (FileKind.OTHER, None),
    "manifest/raw_1s/SPY/.SPY_2024_01.csv.json.0123abcd-1-0123abcd.part": (FileKind.LEFTOVER, None),
    "manifest/raw_1s/SPY/SPY.csv.json": (FileKind.MANIFEST_ENTRY, None),
    "manifest/raw_1s/SPY/SPY_2024_01.csv.json": (FileKind.MANIFEST_ENTRY, SPY),
    "manifest/rewritten.txt": (FileKind.JOURNAL, None),
    str(parquet_codec.path_of(SPY)): (FileKind.MIRROR, SPY),
    "quality/coverage.parquet": (FileKind.OTHER, None),
    "raw_1s/SPY/.SPY_2024_01.csv.0123abcd-1-0123abcd.part": (FileKind.LEFTOVER, None),
    "raw_1s/SPY/SPY_2024_01.csv": (FileKind.BARS, SPY),
    "raw_1s/SPY/notes.txt": (FileKind.FOREIGN, None),
    "table.csv": (FileKind.OTHER, None),
}


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("anything: no file is opened")


@pytest.mark.parametrize("root", ["{folder}", "memory://{folder}-{pid}"])
def test_every_file_of_a_data_folder_is_listed_in_order_as_what_it_is(tmp_path, root):
    at = resolve_path(root.format(folder=tmp_path, pid=os.getpid()))
    put(at, *reversed(WHAT_IS_IN_A_DATA_FOLDER))
    found = Inventory.of(at)

    assert list(found.files) == [ListedFile(path, *what) for path, what in WHAT_IS_IN_A_DATA_FOLDER.items()]
    assert found.bars[SPY] == "raw_1s/SPY/SPY_2024_01.csv"
    assert [each.path for each in found.files if each.is_foreign_csv] == [
        "aggregated/1min/SPY_2024_01.csv",
        "table.csv",
    ]


def test_the_folder_of_mirrors_is_that_of_the_codec():
    assert (inventory.MIRROR_FOLDER, manifest_entry.FOLDER) == (parquet_codec.FOLDER, "manifest")


def test_raw_files_are_found_in_the_folders_of_their_symbols_in_order(tmp_path):
    put(tmp_path, "SPY/SPY_2024_02.csv", "SPY/SPY_2024_01.csv", "BRK.B/BRK.B_2023_12.csv")
    tree = list_folder(str(tmp_path), RAW)

    assert [str(file) for file in tree.files] == ["BRK.B 2023-12 1s", "SPY 2024-01 1s", "SPY 2024-02 1s"]
    assert tree.symbols() == ["BRK.B", "SPY"]
    assert tree.skipped == []
    assert next(iter(tree.files.values())) == tmp_path / "BRK.B/BRK.B_2023_12.csv"


def test_the_folder_of_one_symbol_will_do(tmp_path):
    put(tmp_path, "SPY/SPY_2024_01.csv")

    assert [str(file) for file in list_folder(str(tmp_path / "SPY"), RAW).files] == ["SPY 2024-01 1s"]


def test_a_folder_of_aggregates_may_have_any_name(tmp_path):
    put(tmp_path, "mine/SPY_2024_01_1min.csv")

    assert [str(file) for file in list_folder(str(tmp_path / "mine"), MINUTE).files] == ["SPY 2024-01 1min"]


@pytest.mark.parametrize(
    ("timeframe", "name", "why"),
    [
        (RAW, "SPY/SPY_2024_1.csv", "not named as the layout has it, such as SPY_2024_01.csv"),
        (RAW, "SPY/SPY_2024_13.csv", "2024-13 is not a month; write it as 2024-01"),
        (RAW, "SPY/QQQ_2024_01.csv", "the file belongs at 'raw_1s/QQQ/QQQ_2024_01.csv'"),
        (RAW, "SPY/notes.txt", "not named as the layout has it"),
        (RAW, "notes.txt", "not named as the layout has it, such as SPY_2024_01.csv"),
        (MINUTE, "notes.txt", "not named as the layout has it, such as SPY_2024_01_1min.csv"),
        (RAW, "SPY/2024/SPY_2024_01.csv", "a folder within the folder of a symbol"),
        (RAW, "SPY/.SPY_2024_01.csv.0123abcd-1-0123abcd.part", "not named as the layout has it"),
        (MINUTE, "SPY_2024_01_15s.csv", "the file belongs at 'aggregated/15s/SPY_2024_01_15s.csv'"),
        (MINUTE, "SPY_2024_01.csv", "such as SPY_2024_01_1min.csv"),
        (MINUTE, "15s/SPY_2024_01_15s.csv", "a folder; the files of 1min are looked for next to it"),
    ],
)
def test_what_is_no_file_of_bars_by_its_name_is_named_with_the_reason(tmp_path, timeframe, name, why):
    put(tmp_path, name)
    tree = list_folder(str(tmp_path), timeframe)

    assert tree.files == {}
    [skipped] = tree.skipped
    assert why in skipped.why
    assert str(tmp_path) in skipped.path


def test_a_month_that_is_there_twice_is_taken_once_and_the_other_named(tmp_path):
    put(tmp_path, "SPY/SPY_2024_01.csv", "SPY_2024_01.csv")
    tree = list_folder(str(tmp_path), RAW)

    assert list(tree.files.values()) == [tmp_path / "SPY/SPY_2024_01.csv"]
    assert [each.path for each in tree.skipped] == [str(tmp_path / "SPY_2024_01.csv")]


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_are_listed(tmp_path, monkeypatch):
    put(tmp_path, "QQQ/QQQ_2024_01.csv", "SPY/SPY_2024_01.csv")
    iterdir = Path.iterdir

    def guarded(folder):
        if folder.name == "QQQ":
            raise PermissionError(13, "Permission denied")
        return iterdir(folder)

    monkeypatch.setattr(Path, "iterdir", guarded)
    tree = list_folder(str(tmp_path), RAW)

    assert tree.symbols() == ["SPY"]
    assert tree.skipped == [SkippedFile(str(tmp_path / "QQQ"), "it cannot be listed: Permission denied")]


def test_hidden_files_of_the_system_are_not_mentioned(tmp_path):
    put(tmp_path, "SPY/.DS_Store")

    assert list_folder(str(tmp_path), RAW).skipped == []


def test_a_folder_that_is_not_there_is_an_error_with_its_name(tmp_path):
    with pytest.raises(FileMissingError, match=r"there is no folder .*/nowhere"):
        list_folder(str(tmp_path / "nowhere"), RAW)
