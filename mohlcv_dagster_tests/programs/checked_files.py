"""A program without Dagster: a page decoded, a month encoded, resampled and checked. No test."""

from datetime import UTC, datetime

from mohlcv_dagster.bars import csv_codec, resample
from mohlcv_dagster.checks import reading, runner
from mohlcv_dagster.checks.check_input import CheckInput
from mohlcv_dagster.model import timeframes
from mohlcv_dagster.model.bar_files import BarFile
from mohlcv_dagster.model.months import Month
from mohlcv_dagster.model.provenance import Provenance
from mohlcv_dagster.providers.massive.decoder import decode_page
from mohlcv_dagster.providers.massive.pages import merge
from mohlcv_dagster.providers.massive.paging import PageRequest, Timespan, Window
from mohlcv_dagster_tests.programs.quiet_month import quiet_month

T = 1704205800000


def main():
    """Run it."""
    decode()
    bars = quiet_month("AAC", Month(2024, 2))
    raw, content = BarFile.parse("raw_1s/AAC/AAC_2024_02.csv"), csv_codec.encode(bars)
    assert csv_codec.decode(content).equals(bars)
    check(raw, content, len(bars))
    for name in ("15s", "1min"):
        file = BarFile("AAC", timeframes.parse(name), raw.month)
        resampled = resample.resample(bars, file.timeframe)
        check(file, csv_codec.encode(resampled), len(resampled), content)


def decode():
    row = '{{"v":{},"o":475.32,"c":475,"h":475.45,"l":475,"t":{}}}'
    rows = ",".join(row.format(volume, T + 1000 * n) for n, volume in enumerate((100, 0.5, 1.3e2)))
    body = '{"ticker":"SPY","status":"OK","resultsCount":3,"adjusted":false,"results":[' + rows + "]}"
    request = PageRequest("SPY", Timespan("second", 1000), Window(T, T + 9_999), adjusted=False)
    bars, _ = merge([decode_page(body.encode(), request)])
    assert bars.num_rows == 3


def check(file, content, rows, raw=None):
    now = datetime(2024, 3, 2, tzinfo=UTC)
    provenance = Provenance(
        rows, reading.Reading.of(content).sha256, fetched_at=now, complete_through=file.month.end, adjusted=False
    )
    results = runner.check_file(CheckInput.of(file, content, raw=raw, provenance=provenance))
    failed = [found.message for found in results if not found.passed]
    assert not failed, failed
