"""The trades and average prices of bars that are put one after the other."""

import numpy as np

from mohlcv_dagster.bars import trade_figures


def test_joined_figures_are_those_of_each_part_cut_to_its_bars_and_unknown_where_a_part_has_none():
    first = trade_figures.of(np.array([1.0, 2.0, 3.0]), np.array([10.5, 10.6, 10.7]))
    last = trade_figures.of(np.array([4.0, 5.0]), np.array([10.8, 10.9]))
    joined = trade_figures.join([(first, 2), (None, 2), (last, 2)])

    assert joined["trades"].to_numpy().tolist()[:2] == [1, 2]
    assert np.isnan(joined["trades"].to_numpy()[2:4]).all()
    assert np.isnan(joined["vwap"].to_numpy()[2:4]).all()
    assert joined["vwap"].to_numpy()[[0, 1, 4, 5]].tolist() == [10.5, 10.6, 10.8, 10.9]
    assert joined["trades"].to_numpy()[4:].tolist() == [4, 5]
