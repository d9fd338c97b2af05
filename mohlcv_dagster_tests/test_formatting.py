import pytest

from mohlcv_dagster.formatting import duration, quantity


@pytest.mark.parametrize(("count", "text"), [(0, "0 files"), (1, "1 file"), (2100, "2,100 files")])
def test_a_count_has_its_noun_in_the_right_number(count, text):
    assert quantity(count, "file") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (75, "75 s"), (600, "10 min"), (9000, "2.5 h"), (86400 * 3.5, "3.5 days")],
)
def test_a_duration_is_given_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text
