import json
import time

import pytest

from mohlcv_dagster.sandbox import Sandbox, SyntheticMarket

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def months(project):
    """Empty files in the place of months: the list goes by names."""

    def store(*names):
        for name in names:
            path = project / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return store


@pytest.fixture
def synthetic(monkeypatch):
    """A vendor that knows SPY, and TWTR until 2022-10-28, and no symbol that begins with ZZ."""
    with Sandbox(SyntheticMarket()) as sandbox:
        monkeypatch.setenv("MASSIVE_BASE_URL", sandbox.url)
        monkeypatch.setenv("MASSIVE_API_KEY", "a-key-that-no-word-holds")
        yield sandbox


def names(said):
    return [line.split()[0] for line in said.out.splitlines()[1:] if "partitions" not in line]


def test_symbols_are_added_once_listed_in_order_and_removed(mohlcv):
    assert mohlcv("symbols", "add", "SPY", "BRK.B").out == "SPY: added\nBRK.B: added\n"
    assert mohlcv("symbols", "add", "SPY").out == "SPY: was there already\n"
    assert names(mohlcv("symbols", "list")) == ["BRK.B", "SPY"]
    assert mohlcv("symbols", "remove", "SPY").out == "SPY: removed; its files stay\n"
    assert names(mohlcv("symbols", "list")) == ["BRK.B"]


def test_the_list_tells_months_first_and_last_and_marks_files_without_partitions(mohlcv, months):
    months("raw_1s/SPY/SPY_2023_11.csv", "raw_1s/SPY/SPY_2024_01.csv", "raw_1s/F/F_2024_01.csv", "raw_1s/SPY/notes.csv")
    months("aggregated/15s/QQQ_2024_01_15s.csv")
    mohlcv("symbols", "add", "SPY", "QQQ")

    for words in (("symbols",), ("symbols", "list")):
        assert [line.split() for line in mohlcv(*words).out.splitlines()] == [
            ["symbol", "months", "first", "last", "timeframes", "state"],
            ["F", "1", "2024-01", "2024-01", "1", "file", "not", "checked"],
            ["QQQ", "0", "15s", "(1)", "1", "file", "not", "checked"],
            ["SPY", "2", "2023-11", "2024-01", "1", "month", "missing,", "2", "files", "not", "checked"],
            ["F", "has", "no", "partitions:", "`mohlcv", "symbols", "add", "F`"],
        ]
    [f, qqq, spy] = json.loads(mohlcv("symbols", "--json").out)["symbols"]
    assert (f["symbol"], f["partitions"], f["months"], f["first"], f["last"]) == ("F", False, 1, "2024-01", "2024-01")
    assert (qqq["months"], qqq["first"], qqq["timeframes"], qqq["partitions"]) == (0, None, {"15s": 1}, True)
    assert (spy["months"], spy["first"], spy["missing"], spy["not_checked"]) == (2, "2023-11", 1, 2)


def test_a_symbol_that_cannot_be_stored_is_refused_and_none_of_the_others_is_added(mohlcv):
    said = mohlcv("symbols", "add", "SPY", "a/b")

    assert said.code == 2
    assert "'a/b' is not a US stock symbol" in said.err
    assert mohlcv("symbols", "list").out == "Nothing is stored yet. Fetch SPY first.\n"


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


def test_a_file_of_symbols_is_added_less_its_blank_lines_and_remarks(mohlcv, project):
    (project / "list.txt").write_bytes(b"\xef\xbb\xbfSPY\r\n\r\n# tech\nQQQ  # the Nasdaq\nSPY\n")

    assert mohlcv("symbols", "add", "BRK.B", "--from", "list.txt").out == "BRK.B: added\nSPY: added\nQQQ: added\n"


@pytest.mark.parametrize(
    ("content", "words", "error"),
    [
        (b"\n# none\n", ("--from", "list.txt"), "no symbol to add"),
        ("SPY\n".encode("utf-16"), ("--from", "list.txt"), "list.txt cannot be read"),
        (b"", ("--from", "absent.txt"), "absent.txt"),
        (b"", (), "no symbol to add: write one such as SPY"),
    ],
)
def test_a_file_that_names_no_symbols_is_refused_by_its_name(mohlcv, project, content, words, error):
    (project / "list.txt").write_bytes(content)
    said = mohlcv("symbols", "add", *words)

    assert said.code == 2
    assert error in said.err


def test_ten_thousand_symbols_of_a_file_take_no_longer_than_to_add_them(mohlcv, project):
    """Before, each was compared with all others: 14 s of CPU in place of one."""
    names = [f"{a}{b}{c}{d}" for a in "ABCDEFGHIJ" for b in "KLMNOPQRST" for c in "ABCDEFGHIJ" for d in "KLMNOPQRST"]
    (project / "list.txt").write_text("\n".join([*names, "akak"]))

    begun = time.process_time()
    said = mohlcv("symbols", "add", "--from", "list.txt")

    assert time.process_time() - begun < 5
    assert said.out.count(": added\n") == 10_001
    assert said.err.count("note: ") == 2
    assert "akak differs from AKAK in case only" in said.err


def test_with_a_key_the_vendor_is_asked_and_a_slip_of_the_pen_is_not_added(mohlcv, synthetic):
    said = mohlcv("symbols", "add", "SPY", "ZZTOP", "TWTR", "--json")

    assert said.code == 1
    assert json.loads(said.out)["symbols"] == [
        {"symbol": "SPY", "became": "added", "notes": []},
        {
            "symbol": "ZZTOP",
            "became": "refused",
            "notes": ["the vendor knows no symbol ZZTOP, of today or before; case counts: BACpB, BRK.B"],
        },
        {"symbol": "TWTR", "became": "added", "notes": ["Twitter, Inc. was delisted 2022-10-28"]},
    ]
    assert "ZZTOP: refused" in said.err
    assert [request.path.rpartition("/")[2] for request in synthetic.requests].count("SPY") == 1
    assert names(mohlcv("symbols", "list")) == ["SPY", "TWTR"]
    synthetic.requests.clear()
    mohlcv("symbols", "add", "SPY")
    assert synthetic.requests == []  # it is kept already


def test_offline_and_where_the_vendor_cannot_tell_a_symbol_is_added_and_that_is_said(mohlcv, synthetic):
    assert mohlcv("symbols", "add", "ZZA", "--offline").out == "ZZA: added\n"
    assert synthetic.requests == []

    synthetic.inject("plan-date:on=reference")
    said = mohlcv("symbols", "add", "ZZB", "ZZC")
    assert (said.code, said.out) == (0, "ZZB: added\nZZC: added\n")
    assert "added without asking, as are those after it: the plan of this API key has no reference data" in said.err
    assert len(synthetic.requests) == 1
