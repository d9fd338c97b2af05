import json
from datetime import UTC, datetime

import pytest

from mohlcv_dagster.bars.passport import Passport, Verdict
from mohlcv_dagster.errors import PassportError

KNOWN = Passport(
    file="raw_1s/SPY/SPY_2024_01.csv",
    sha256="ab" * 32,
    rows=2,
    size=150,
    software="mohlcv-dagster 0.1.0",
    first_bar=datetime(2024, 1, 2, 9, tzinfo=UTC),
    last_bar=datetime(2024, 1, 31, 23, 59, 59, tzinfo=UTC),
    vendor="Massive.com",
    adjusted=False,
    fetched_at=datetime(2026, 3, 5, 12, 0, 0, 250_000, tzinfo=UTC),
    complete_through=datetime(2024, 2, 1, tzinfo=UTC),
    state="settled",
    request_ids=("first", "second"),
    checks=(Verdict("readable", passed=True, severity="error", message="Fine — 2 bars."),),
)


def test_a_passport_is_json_with_sorted_keys_that_a_person_can_read():
    text = KNOWN.encode().decode()
    told = json.loads(text)

    assert list(told) == sorted(told)
    assert text.count("\n") > 20
    assert told["schema"] == 1
    assert (told["fetched_at"], told["complete_through"]) == ("2026-03-05T12:00:00.250000Z", "2024-02-01T00:00:00Z")
    assert told["checks"] == [{"message": "Fine — 2 bars.", "name": "readable", "passed": True, "severity": "error"}]
    assert "Fine — 2 bars." in text


def test_a_passport_is_read_back_as_it_was_also_where_nothing_is_known():
    bare = Passport(file="raw_1s/A/A_2024_01.csv", sha256="00" * 32, rows=0, size=36, software="x 1")

    assert Passport.decode(KNOWN.encode()) == KNOWN
    assert Passport.decode(bare.encode()) == bare


def test_the_latest_verdict_of_a_check_replaces_the_former_one_and_their_order_is_by_name():
    red = Verdict("readable", passed=False, severity="error", message="Cut.")
    yellow = Verdict("a_check", passed=False, severity="warn", message="Look.")

    judged = KNOWN.judged([red, yellow])

    assert [check.name for check in judged.checks] == ["a_check", "readable"]
    assert judged.red == (red,)


def test_the_former_verdict_of_a_rule_that_was_not_judged_now_goes():
    red = Verdict("rising_time", passed=False, severity="error", message="Falls.")
    gone = Verdict("readable", passed=False, severity="error", message="Absent.")

    judged = KNOWN.judged([red]).judged([gone], ["rising_time", "settled"])

    assert judged.checks == (gone,)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: text[:-40], "no passport"),
        (lambda text: text.replace('"schema": 1', '"schema": 2'), "form 2"),
        (lambda text: text.replace('"rows": 2', '"rows": "two"'), "rows is 'two'"),
        (lambda text: text.replace("2024-01-02T09:00:00Z", "yesterday"), "yesterday"),
        (lambda text: text.replace('"sha256"', '"md5"'), "KeyError: 'sha256'"),
        (lambda text: "[]", "no passport"),
        (lambda text: "\xff", "no passport"),
    ],
)
def test_what_is_no_passport_is_refused_with_what_is_wrong(spoil, told):
    spoilt = spoil(KNOWN.encode().decode())

    assert spoilt != KNOWN.encode().decode()
    with pytest.raises(PassportError, match=told):
        Passport.decode(spoilt.encode("latin-1", errors="replace"))
