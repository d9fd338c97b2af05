"""Where real bars are, on the machines that have them. They are read in place and never copied into the project."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "real"

REAL = Path(os.environ.get("MOHLCV_TEST_REAL", _BESIDE))

needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"no real bars in {REAL}; MOHLCV_TEST_REAL names another folder"
)
