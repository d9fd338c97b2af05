"""The commands of the page on removing bars, carried out as they stand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mohlcv_dagster_tests.docs.blocks import REPOSITORY, blocks

pytestmark = pytest.mark.slow

PAGE = REPOSITORY / "docs/remove-and-back-up.md"


def carried_out(project, block, words):
    """Run a block in the project's folder with these words replaced; what it prints."""
    text = block.text
    for word, other in words.items():
        text = text.replace(word, str(other))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-euc", text],
        cwd=project.folder,
        env={**os.environ, **project.variables, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_removed_by_the_page_leaves_nothing_behind_and_its_backup_is_whole(project, tmp_path):
    assert project.call(["mohlcv", "fetch", "--symbol", "QQQ", "--start", "2024-01-01", "--end", "2024-01-31"]) == 0
    assert project.call(["mohlcv", "resample", "--symbol", "QQQ"]) == 0
    remove, back_up = (block for block in blocks(PAGE) if block.language == "bash")
    copied = back_up.text.replace("rsync -a data/ /mnt/backup/data/", f"cp -r data {tmp_path}/data")
    verified = carried_out(project, back_up, {back_up.text: copied.replace("/mnt/backup", str(tmp_path))})
    assert "all as recorded" in verified
    assert names_of("QQQ", tmp_path) == names_of("QQQ", project.folder)

    printed = carried_out(project, remove, {})

    assert "QQQ: removed" in printed
    assert "all as recorded" in printed
    assert (names_of("QQQ", project.folder), len(names_of("SPY", project.folder))) == (
        [],
        len(names_of("SPY", tmp_path)),
    )


def names_of(symbol, folder):
    return sorted(each.name for each in (folder / "data").rglob("*") if symbol in each.name)
