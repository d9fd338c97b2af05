from datetime import UTC, datetime

import pytest

from mohlcv_dagster.cli.ranges import chosen_months

NOW = datetime(2024, 3, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "months"),
    [
        ("1month", ["2024-03"]),
        ("3months", ["2024-01", "2024-02", "2024-03"]),
        ("4 Months", ["2023-12", "2024-01", "2024-02", "2024-03"]),
    ],
)
def test_the_last_months_end_with_the_one_in_progress(mohlcv, monkeypatch, last, months):
    asked = []

    def keep(start, end, last, now):
        asked.append(chosen_months(start, end, last, NOW))
        raise KeyboardInterrupt

    monkeypatch.setattr("mohlcv_dagster.cli.plan.chosen_months", keep)
    mohlcv("plan", "--symbol", "SPY", "--last", last)

    assert [[str(month) for month in each] for each in asked] == [months]


def test_two_years_are_twenty_four_months():
    assert [str(month) for month in chosen_months(None, None, 24, NOW)][:1] == ["2022-04"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--start", "2024-01", "--end", "2024-03"), "2024-01 to 2024-03: 3 partitions"),
        (("--start", "2024-01-31", "--end", "2024-02"), "2024-01 to 2024-02: 2 partitions"),
        (("--start", "2024-02", "--end", "2024-02-01"), "2024-02: 1 partition"),
        (("--start", "2023-12", "--end", "2023-12-31"), "2023-12: 1 partition"),
    ],
)
def test_a_range_is_named_by_days_or_by_months(mohlcv, words, told):
    said = mohlcv("plan", "--symbol", "SPY", "--offline", *words)

    assert said.code == 0
    assert f"SPY, {told}" in said.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--last", "3weeks"), "'3weeks' is not a span of months; write one as 3months or 2years"),
        (("--last", "0months"), "'0months' is not a span of months"),
        (("--last", "3months", "--start", "2024-01"), "--last names the range already: leave out --start and --end"),
        (("--last", "99years"), "--last of 1,188 months begins before 1970"),
        (("--start", "2024-13", "--end", "2024-12"), "'2024-13' is not a date; write a day as 2024-01-31"),
        (("--start", "2024-1", "--end", "2024-12"), "'2024-1'"),
        (("--start", "2024-01"), "--start alone was given; name the range: --start 2024-01 --end 2024-03"),
        ((), "no range was given; name the range"),
    ],
)
@pytest.mark.parametrize("command", ["fetch", "plan"])
def test_a_range_that_cannot_be_meant_is_refused_with_the_value_and_a_right_one(mohlcv, command, words, told):
    said = mohlcv(command, "--symbol", "SPY", *words)

    assert said.code == 2
    assert told in said.err


@pytest.mark.usefixtures("home")
def test_symbols_come_from_a_file_with_remarks_and_from_the_option_each_once(mohlcv, project):
    (project / "list.txt").write_text("# mine\nSPY\n\nQQQ  # the Nasdaq\nSPY,IWM\n")
    words = ("plan", "--symbols-from", "list.txt", "--symbol", "DIA", "--start", "2024-01", "--end", "2024-01")

    assert "DIA, SPY, QQQ, IWM, 2024-01: 4 partitions" in mohlcv(*words, "--offline").out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"# none\n", "no symbol was given"),
        (b"S/PY\n", "'S/PY' is not a US stock symbol"),
        (b"\xff\xfeS", "cannot be read"),
    ],
)
def test_a_file_without_usable_symbols_is_refused(mohlcv, project, content, told):
    (project / "list.txt").write_bytes(content)
    said = mohlcv("fetch", "--symbols-from", "list.txt", "--last", "1month")

    assert (said.code, told in said.err) == (2, True), said.err
