"""How an answer can be wrong while its JSON is whole: each function takes a true answer and gives the false one."""

import re
from collections.abc import Callable
from dataclasses import replace

from mohlcv_dagster.sandbox.answers import Answer

Row = bytes


def missing_results(answer: Answer) -> Answer:
    """`results` left out although the count says there are rows."""
    return replace(answer, results="absent")


def null_results(answer: Answer) -> Answer:
    """`results` null although the count says there are rows."""
    return replace(answer, results="null")


def null_when_empty(answer: Answer) -> Answer:
    """An empty answer in its other form; one with rows stays."""
    return answer if answer.results_count else replace(answer, results="null")


def delayed(answer: Answer) -> Answer:
    """What a Starter plan is told."""
    return replace(answer, status="DELAYED")


def with_next_page(answer: Answer) -> Answer:
    """A `next_url` even where nothing follows; the page there is empty and has none."""
    return replace(answer, next_url=answer.next_url or answer.beyond)


def wrong_count(answer: Answer) -> Answer:
    """One more row in the count than there is."""
    return replace(answer, results_count=answer.results_count + 1)


def wrong_ticker(answer: Answer) -> Answer:
    """Rows under another symbol's name."""
    return replace(answer, ticker=f"{answer.ticker}X")


def foreign_rows(answer: Answer) -> Answer:
    """One more row, an hour before the window."""
    rows = _rows(answer)
    return _with_rows(answer, [_put(rows[0], "t", str(answer.asked_from - 3_600_000)), *rows])


def duplicated_rows(answer: Answer) -> Answer:
    """The middle row twice."""
    rows = _rows(answer)
    middle = len(rows) // 2
    return _with_rows(answer, [*rows[: middle + 1], *rows[middle:]])


def unsorted_rows(answer: Answer) -> Answer:
    """The first row moved to the end."""
    rows = _rows(answer)
    return _with_rows(answer, [*rows[1:], rows[0]])


def bad_bar(answer: Answer) -> Answer:
    """The middle bar's high is half its low."""
    return _with_middle(answer, lambda row: _put(row, "h", f"{_value(row, 'l') / 2:.4f}"))


def zero_price(answer: Answer) -> Answer:
    """The middle bar's low is zero."""
    return _with_middle(answer, lambda row: _put(row, "l", "0"))


def negative_volume(answer: Answer) -> Answer:
    """The middle bar's volume is below zero."""
    return _with_middle(answer, lambda row: _put(row, "v", "-100"))


def _rows(answer: Answer) -> list[Row]:
    return [row + b"}," for row in b"".join(answer.rows).split(b"},")[:-1]]


def _with_rows(answer: Answer, rows: list[Row]) -> Answer:
    """The answer with other rows, its counts in agreement with them."""
    return replace(answer, rows=tuple(rows), results_count=len(rows), query_count=len(rows))


def _with_middle(answer: Answer, change: Callable[[Row], Row]) -> Answer:
    rows = _rows(answer)
    middle = len(rows) // 2
    rows[middle] = change(rows[middle])
    return _with_rows(answer, rows)


def _put(row: Row, key: str, value: str) -> Row:
    """The row with another number under `key`."""
    return re.sub(rb'"%s":[^,}]+' % key.encode(), f'"{key}":{value}'.encode(), row)


def _value(row: Row, key: str) -> float:
    found = re.search(rb'"%s":([^,}]+)' % key.encode(), row)
    return float(found[1]) if found else 0.0
