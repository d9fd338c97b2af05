"""A market of one symbol, SPY, with two bars on each session's first minute."""

from datetime import date, timedelta

import pyarrow as pa

from mohlcv_dagster.bars import csv_codec
from mohlcv_dagster.model import exchange_calendar

_HEADER = "ts_event,open,high,low,close,volume\n"


class QuietSpy:
    """Bars on every session there is."""

    def days(self, symbol, first, last):
        return [session.date for session in exchange_calendar.sessions_between(first, last)] if symbol == "SPY" else []

    def bars(self, symbol, day: date, timeframe, *, adjusted) -> pa.Table:
        opens = exchange_calendar.session_on(day).regular_open
        rows = [f"{opens + timedelta(seconds=second)},10.0,10.0,10.0,10.0,5\n" for second in (0, 59)]
        return csv_codec.decode((_HEADER + "".join(rows)).encode())
