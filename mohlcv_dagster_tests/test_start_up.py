"""What a process loads before and while it works: each library is paid for at every start."""

import subprocess
import sys

THE_WAY_OF_A_BAR = """
import sys
from mohlcv_dagster.bars import csv_codec, resample, rules, timeframes
from mohlcv_dagster.bars.files import BarFile
from mohlcv_dagster.bars.rules import Evidence
from mohlcv_dagster.vendor.decoder import decode_page
from mohlcv_dagster.vendor.merge import merge
from mohlcv_dagster.vendor.pages import PageRequest
from mohlcv_dagster.vendor.windows import Timespan, Window

T = 1704205800000
row = '{{"v":{},"o":475.32,"c":475,"h":475.45,"l":475,"t":{}}}'
rows = ",".join(row.format(volume, T + 1000 * n) for n, volume in enumerate((100, 0.5, 1.3e2)))
body = '{"ticker":"SPY","status":"OK","resultsCount":3,"adjusted":false,"results":[' + rows + "]}"
request = PageRequest("SPY", Timespan("second", 1000), Window(T, T + 9_999), adjusted=False)
bars = merge([decode_page(body.encode(), request)])
raw = BarFile.parse("raw_1s/SPY/SPY_2024_01.csv")
content = csv_codec.encode(bars)
assert csv_codec.decode(content).equals(bars)
assert not any(finding.holds_back for finding in rules.judge(Evidence.of(raw, content)))
for name in ("15s", "1min"):
    file = BarFile("SPY", timeframes.parse(name), raw.month)
    folded = csv_codec.encode(resample.fold(bars, file.timeframe))
    assert not any(finding.holds_back for finding in rules.judge(Evidence.of(file, folded, raw=content)))
print(sorted({"dagster", "pandas", "exchange_calendars", "pyarrow.dataset"} & set(sys.modules)))
"""


def test_the_way_of_a_bar_from_page_to_judged_files_loads_no_pandas_no_calendar_and_no_dagster():
    done = subprocess.run([sys.executable, "-c", THE_WAY_OF_A_BAR], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
