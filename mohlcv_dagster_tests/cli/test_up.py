import subprocess
import sys

import pytest

SERVE = """
import sys
from pathlib import Path
from mohlcv_dagster.cli import up
from mohlcv_dagster.cli.dagster_home import Home

root = Path.cwd()
home = Home.sandboxed(root, "http://127.0.0.1:8123").prepare()
sys.exit(up._serve([sys.executable, "-c", sys.argv[1]], home.path, root))
"""
LOADED_BY_DAGSTER = """
import logging, os
from dagster._cli.utils import _inject_local_env_file
import mine
with _inject_local_env_file(logging.getLogger("dagster")):
    print(mine.WORD, os.environ["MASSIVE_API_KEY"], os.environ["MASSIVE_BASE_URL"], os.environ["MOHLCV_DATA_DIR"])
"""


@pytest.mark.slow
def test_dagster_finds_no_env_file_to_lead_a_sandboxs_bars_to_real_ones_and_still_finds_the_projects_modules(project):
    (project / ".env").write_text(
        "MOHLCV_DATA_DIR=/real\nMASSIVE_BASE_URL=https://api.massive.com\nMASSIVE_API_KEY=k\n"
    )
    (project / "mine.py").write_text("WORD = 'mine'\n")
    done = subprocess.run(
        [sys.executable, "-c", SERVE, LOADED_BY_DAGSTER], capture_output=True, text=True, check=False, cwd=project
    )

    data = project / ".mohlcv" / "sandbox" / "data"
    assert (done.returncode, done.stdout) == (0, f"mine sandbox http://127.0.0.1:8123 {data}\n"), done.stderr
