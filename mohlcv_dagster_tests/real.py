"""The folder of real files outside the repository: read in place, never copied into it."""

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parent.parent

REAL = Path(os.environ.get("MOHLCV_TEST_REAL", _REPOSITORY.parent / "shared" / "real"))
"""`second/`, `minute/`, `expected/`, `fractional/`, `recorded/`; read before the environment is cleaned."""

needs_real = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"no real files at {REAL}; name their folder in MOHLCV_TEST_REAL"
)
