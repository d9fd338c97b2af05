"""Two builds of one commit give the same wheel, whoever builds it, where and when."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (REPOSITORY / ".git").exists(), reason="a wheel is built from a commit, and this is no clone"
    ),
]


def wheel(folder, umask, **environment):
    """The wheel built from a fresh clone in `folder`, by the build's own back end: no network is needed."""
    clone = [shutil.which("git"), "clone", "-q", "--no-hardlinks", str(REPOSITORY), str(folder)]
    subprocess.run(clone, check=True, umask=umask)
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    environment = {**os.environ, **environment}
    subprocess.run(words, check=True, cwd=folder, umask=umask, env=environment, capture_output=True)
    [built] = (folder / "dist").glob("*.whl")
    return built


def test_two_builds_of_one_commit_are_the_same_byte_for_byte(tmp_path):
    one = wheel(tmp_path / "one", 0o022, TZ="UTC", LC_ALL="C", PYTHONHASHSEED="1")
    other = wheel(tmp_path / "a folder of another name", 0o077, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", PYTHONHASHSEED="2")

    assert one.name == other.name
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (one, other)]
    assert digests[0] == digests[1]
    with zipfile.ZipFile(one) as archive:
        names = archive.namelist()
    assert "mohlcv_dagster/settings.py" in names
    assert not [
        name for name in names if name.startswith(("mohlcv_dagster_tests/", "data/", "docs/")) or ".env" in name
    ]
