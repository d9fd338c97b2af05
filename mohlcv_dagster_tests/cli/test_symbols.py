def test_symbols_are_added_once_listed_in_order_and_removed(mohlcv):
    assert mohlcv("symbols", "add", "SPY", "BRK.B").out == "SPY: added\nBRK.B: added\n"
    assert mohlcv("symbols", "add", "SPY").out == "SPY: was there already\n"
    assert mohlcv("symbols", "list").out == "BRK.B\nSPY\n"
    assert mohlcv("symbols", "remove", "SPY").out == "SPY: removed; its files stay\n"
    assert mohlcv("symbols", "list").out == "BRK.B\n"


def test_a_symbol_that_cannot_be_stored_is_refused_and_none_of_the_others_is_added(mohlcv):
    said = mohlcv("symbols", "add", "SPY", "a/b")

    assert said.code == 2
    assert "'a/b' is not a US stock symbol" in said.err
    assert mohlcv("symbols", "list").out == ""


def test_a_symbol_that_another_disk_could_not_hold_is_added_and_told(mohlcv):
    said = mohlcv("symbols", "add", "BACpB", "BACPB", "CON")

    assert said.code == 0
    assert "CON is the name of a device on Windows" in said.err
    assert "BACPB differs from BACpB in case only" in said.err


def test_removing_a_symbol_that_is_not_kept_is_refused_with_those_that_are(mohlcv):
    mohlcv("symbols", "add", "SPY")
    said = mohlcv("symbols", "remove", "QQQ")

    assert said.code == 2
    assert "no such symbol: QQQ; kept are SPY" in said.err
