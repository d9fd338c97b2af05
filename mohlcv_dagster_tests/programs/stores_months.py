"""Stores the months whose numbers are read, as a host of its own would, and says how each went. No test."""

import os
import socket
import sys

socket.gethostname = lambda: f"host-{os.getpid()}"

from mohlcv_dagster.bars import csv_codec  # noqa: E402 - the name of the host is read on import
from mohlcv_dagster.defs import io_managers  # noqa: E402 - as above
from mohlcv_dagster.errors import OverwrittenError  # noqa: E402 - as above
from mohlcv_dagster.model.bar_files import BarFile  # noqa: E402 - as above
from mohlcv_dagster.storage.archive import Archive  # noqa: E402 - as above
from mohlcv_dagster_tests.checks.clean_files import FRACTIONAL, WHOLE  # noqa: E402 - as above


def main(root, which):
    archive = Archive(root)
    bars = csv_codec.decode(WHOLE if which == "whole" else FRACTIONAL)
    print("ready", flush=True)  # noqa: T201 - it is how it is started
    for line in sys.stdin:
        year, month = (2024, int(line)) if int(line) < 13 else (2023, int(line) - 12)
        try:
            io_managers.store(archive, BarFile.parse(f"raw_1s/SPY/SPY_{year}_{month:02}.csv"), bars, {}, parquet=False)
            print(f"stored {which}", flush=True)  # noqa: T201 - it is what it is for
        except OverwrittenError:
            print("overwritten", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
