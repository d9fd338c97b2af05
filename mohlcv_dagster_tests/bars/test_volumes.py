"""Volumes are summed as the decimals they were written as."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.bars.volumes import ExactVolumes, beyond_millionths
from mohlcv_dagster.errors import BarsError, VolumePrecisionError
from mohlcv_dagster_tests.bars.strategies import millionths, whole_volumes

FROM_THE_START = np.array([0])


def decimals(volume):
    return [Decimal(repr(shares)) for shares in volume.tolist()]


def test_a_sum_that_floats_get_wrong_is_exact():
    volume = np.array([0.1, 0.2])
    assert float(volume.sum()) == 0.30000000000000004
    assert ExactVolumes.of(volume).sums(FROM_THE_START).shares.tolist() == [0.3]


@given(st.lists(millionths, min_size=1, max_size=50).map(np.array), st.data())
def test_the_sum_of_each_bucket_is_the_nearest_float_to_the_decimals_sum(volume, data):
    rest = data.draw(st.sets(st.integers(0, len(volume) - 1)))
    first = sorted({0, *rest})
    sums = ExactVolumes.of(volume).sums(np.array(first)).shares.tolist()
    buckets = zip(first, [*first[1:], len(volume)], strict=True)
    assert sums == [float(sum(decimals(volume)[start:end])) for start, end in buckets]


@given(st.lists(millionths, max_size=50).map(lambda shares: np.array(shares, dtype=np.float64)))
def test_the_total_is_the_decimals_sum(volume):
    assert ExactVolumes.of(volume).total() == Fraction(sum(decimals(volume), Decimal(0)))


@given(st.lists(whole_volumes, min_size=1).map(lambda shares: np.array(shares, dtype=np.int64)))
def test_whole_volumes_stay_whole(volume):
    exact = ExactVolumes.of(volume)
    sums = exact.sums(FROM_THE_START).shares
    assert (exact.per_share, sums.dtype, sums.tolist()) == (1, np.int64, [sum(volume.tolist())])
    assert exact.total() == sum(volume.tolist())


@pytest.mark.parametrize(
    ("volume", "per_share", "units"),
    [
        ([1.5, 100.0], 10**6, [1_500_000, 100_000_000]),
        ([0.1234567, 1.0], 10**7, [1_234_567, 10_000_000]),
        ([0.24885568, 1.13872], 10**8, [24_885_568, 113_872_000]),
        ([0.123456789], 10**9, [123_456_789]),
        ([-0.000001], 10**6, [-1]),
    ],
)
def test_the_coarsest_scale_that_holds_every_volume_is_taken(volume, per_share, units):
    exact = ExactVolumes.of(np.array(volume))
    assert (exact.per_share, exact.units.tolist()) == (per_share, units)


@pytest.mark.parametrize(
    ("volume", "named"),
    [
        ([1.5, 0.1234567891], "volume 0.1234567891 (bar 2 of 2)"),
        ([1.5, 2.5, float("nan")], "volume nan (bar 3 of 3)"),
        ([float("inf")], "volume inf (bar 1 of 1)"),
        ([9007199254.75], "volume 9007199254.75 (bar 1 of 1)"),
        ([0.123456789, 9007199.5], "volume 9007199.5 (bar 2 of 2)"),
    ],
)
def test_a_volume_that_cannot_be_summed_exactly_is_refused_by_name(volume, named):
    with pytest.raises(VolumePrecisionError) as refused:
        ExactVolumes.of(np.array(volume))
    assert named in str(refused.value)


def test_a_sum_with_too_many_digits_for_a_float_is_refused():
    with pytest.raises(VolumePrecisionError, match="too many digits"):
        ExactVolumes.of(np.array([9e9, 9e9, 0.5])).sums(FROM_THE_START)


def test_a_sum_of_whole_volumes_beyond_64_bits_is_refused_and_does_not_wrap():
    volume = np.array([2**62, 2**62])
    with pytest.raises(BarsError, match="does not fit 64 bits"):
        ExactVolumes.of(volume).sums(FROM_THE_START)
    assert ExactVolumes.of(volume).total() == 2**63


def test_more_than_six_decimals_are_told_apart_from_six():
    volume = np.array([9099.618093, 0.000001, 15234.0, 0.1234567, 1e-07, float("nan"), float("inf"), 1e18])
    assert beyond_millionths(volume).tolist() == [False, False, False, True, True, True, True, False]
    assert beyond_millionths(np.array([1, 2])).tolist() == [False, False]


@given(st.decimals(0, 10**8, places=6))
def test_no_volume_of_six_decimals_is_called_finer(shares):
    assert not beyond_millionths(np.array([float(shares)]))[0]
