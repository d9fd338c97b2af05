import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mohlcv_dagster.charts import svg
from mohlcv_dagster_tests.charts.drawn import Drawn


def luminance(colour):
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", ["#ffffff", "#0f1519"])
def test_text_and_colours_are_told_from_the_ground_of_either_theme(ground):
    assert contrast(svg.INK, ground) >= 4
    # WCAG asks 3 of what is no text; amber is 2.6 on white, and has a column of its own in the legend
    for colour in (svg.RISE, svg.FALL, svg.BLUE, svg.RED):
        assert contrast(colour, ground) >= 3
    assert contrast(svg.AMBER, ground) >= 2.5


def test_what_must_be_escaped_is():
    picture = svg.picture(10, 20, "a < b & c", [svg.text(1, 2, "<&>")])

    assert Drawn(picture.markdown).words == ["<&>"]


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (434.0, 478.0, 6, [440, 450, 460, 470]),
        (0.0, 38e6, 2, [0, 20e6]),
        (0.0, 1.0, 2, [0, 0.5, 1.0]),
        (0.00011, 0.00019, 4, [0.00012, 0.00014, 0.00016, 0.00018]),
        (-3.0, 3.0, 3, [-2, 0, 2]),
    ],
)
def test_ticks_are_round_values_within_the_range(low, high, about, expected):
    assert svg.ticks(low, high, about) == pytest.approx(expected)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 8))
@example(917677.9999999999, 1e-05, 2)  # a ten-thousandth of a tick is less than floats tell apart there
def test_ticks_stay_within_any_range_rise_and_are_not_many_more_than_asked_for(low, span, about):
    found = svg.ticks(low, low + span, about)

    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in found)
    assert found == sorted(set(found))
    assert len(found) <= about + 1


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (950, "950"), (12_345, "12.3 k"), (4.57e6, "4.57 M"), (3e10, "30 B"), (1.5e12, "1,500 B")],
)
def test_large_numbers_are_short(value, words):
    assert svg.short(value) == words
