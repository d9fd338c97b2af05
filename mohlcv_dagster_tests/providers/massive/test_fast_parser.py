"""Reading rows by columns gives what the strict reader gives, and takes no page that one refuses."""

import json

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mohlcv_dagster.providers.massive import decoder
from mohlcv_dagster.providers.massive.decoder import _read_fast, _read_strict

REFUSED = (pa.ArrowInvalid, ValueError)
KEYS = ("v", "vw", "o", "c", "h", "l", "t", "n")
ROWS = (
    '{"v":15234,"vw":475.3,"o":475.32,"c":475.4,"h":475.45,"l":475.28,"t":1704205800000,"n":87}',
    '{"v":0.0073,"vw":475.3,"o":475.32,"c":184,"h":475.45,"l":0.05,"t":1704205801000,"n":1}',
    '{"v":20,"vw":10.0,"o":100,"c":0,"h":475.405,"l":475.28,"t":1704205802000,"n":2}',
)


def page(*rows):
    head = f'{{"ticker":"SPY","queryCount":3,"resultsCount":{len(rows)},"adjusted":false,"results":['
    return (head + ",".join(rows) + '],"status":"OK","request_id":"abc"}').encode()


def swapped(old, new):
    return page(*ROWS).replace(old.encode(), new.encode())


def plain_columns(read):
    columns, envelope = read
    return {key: column.to_pylist() for key, column in columns.items()}, envelope


def assert_both_read_the_same(body):
    """What is read by columns is what is read strictly, which raises where the page is none."""
    try:
        read = _read_fast(body)
    except REFUSED:
        with pytest.raises(REFUSED):
            _read_strict(body)
        return None
    if read is not None:
        assert plain_columns(read) == plain_columns(_read_strict(body))
    return read


def test_the_vendors_rows_are_read_by_columns():
    columns, envelope = plain_columns(assert_both_read_the_same(page(*ROWS)))
    assert columns["t"] == [1704205800000, 1704205801000, 1704205802000]
    assert columns["v"] == [15234.0, 0.0073, 20.0]
    assert columns["c"] == [475.4, 184.0, 0.0]
    assert columns["l"] == [475.28, 0.05, 475.28]
    assert envelope.rows == 3


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("1.300741e+06", 1300741),
        ("9e+06", 9000000),
        ("1.5234e+04", 15234),
        ("5.4125614873421e+07", 54125614.873421),
        ("1.0e+00", 1),
        ("6.143622818906512e+07", 61436228.18906512),
        ("1e+19", 1e19),
    ],
)
def test_a_number_with_an_exponent_as_the_vendor_writes_it_is_read_by_columns(text, volume):
    columns, _ = plain_columns(assert_both_read_the_same(swapped("15234", text)))
    assert columns["v"][0] == volume


@given(st.floats(1e6, 1e15))
def test_any_number_with_an_exponent_is_read_alike_by_both(volume):
    mantissa, exponent = f"{volume:.15e}".split("e+")
    assert assert_both_read_the_same(swapped("15234", f"{mantissa}e+{exponent}")) is not None


numbers = st.one_of(
    st.integers(0, 10**12).map(str),
    st.decimals(0, 10**7, places=6, allow_nan=False).map(str),
    st.floats(0, 1e9, allow_nan=False).map(repr),
)


@given(st.lists(st.tuples(*[numbers] * 6, st.integers(0, 2**62), numbers), min_size=1, max_size=6))
def test_rows_of_any_numbers_are_read_alike_by_both(rows):
    texts = []
    for v, vw, o, c, h, low, t, n in rows:
        values = dict(zip(KEYS, (v, vw, o, c, h, low, t, n), strict=True))
        texts.append("{" + ",".join(f'"{key}":{values[key]}' for key in KEYS) + "}")
    assert_both_read_the_same(page(*texts))


@settings(max_examples=1500)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(page(*ROWS))),
            st.integers(0, 3),
            st.text('0123456789.+-eE,:{}[]"tnvwochl _\\N', max_size=3),
        ),
        min_size=1,
        max_size=3,
    )
)
@example([(0, 0, "")])
def test_no_page_is_read_by_columns_that_the_strict_reader_refuses(edits):
    body = page(*ROWS)
    for at, gone, new in edits:
        body = body[:at] + new.encode() + body[at + gone :]
    assert_both_read_the_same(body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("475.3,", "475.3.1,"),  # in a value that nobody reads
        ('"n":87', '"n":8.7.1'),
        ("475.32", "475."),
        ("475.32", ".32"),
        ("475.32", "0475.32"),
        ('"o":475.32', '"o":'),
        ('"n":87', '"n":'),
        ("475.32", "--475.32"),
        ("475.32", "+475.32"),
        ("1704205800000", "1704205800000.5"),
        ("1704205800000", "99999999999999999999"),
        ('"l":475.28,"t"', '"l":475.28 "t"'),
        ('"o":475.32', '"o"::475.32'),
        ("},{", "}{"),
        ("},{", "},,{"),
        ("}]", "},]"),
        ("}]", "}"),
        ('"o":475.32', '"o":"475.32"'),
        ('"o":475.32', '"o":475.32,"o":1'),
        ('"o":475.32', '"q":475.32'),
        ('"o":475.32', '1"o":'),
        ('"o":475.32', '"o1":475.32'),
        ('"o":475.32', '"o":475.32"'),
        ('[{"v"', '[1{"v"'),
    ],
)
def test_rows_that_are_no_json_or_lack_a_bar_are_left_to_the_strict_reader(old, new):
    body = swapped(old, new)
    assert body != page(*ROWS)
    assert _read_fast(body) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("15234", "1.5234e-04"),
        ("15234", "0.5e+04"),
        ("15234", "1.5234E+04"),
        ("15234", "1e+20"),
        ("15234", "-15234"),
        (',"n":87', ""),
        (',"n":87', ',"n":87,"otc":true'),
        ('"o":475.32,"c":475.4', '"c":475.4,"o":475.32'),
        ("},{", "}, {"),
    ],
)
def test_a_good_page_of_another_form_is_left_to_the_strict_reader_which_takes_it(old, new):
    body = swapped(old, new)
    assert body != page(*ROWS)
    assert _read_fast(body) is None
    columns, _ = plain_columns(_read_strict(body))
    assert columns["t"] == [1704205800000, 1704205801000, 1704205802000]


@pytest.mark.parametrize(
    "body",
    [
        page(),
        b"",
        b'"results":[',
        b'{"x":' + page(*ROWS) + b"}",
        page(*ROWS).replace(b'"results"', b'"x":{"results"').replace(b"],", b"]},"),
        json.dumps({"ticker": 'a"results":[' + ROWS[0] + "]"}).encode(),
    ],
)
def test_rows_that_are_not_the_pages_results_are_not_taken_for_them(body):
    assert _read_fast(body) is None


def test_a_page_longer_than_what_is_looked_at_at_once_is_read_whole():
    rows = [ROWS[0].replace("1704205800000", str(1704205800000 + 1000 * n)) for n in range(5000)]
    columns, envelope = plain_columns(assert_both_read_the_same(page(*rows)))
    assert envelope.rows == 5000
    assert columns["t"] == [1704205800000 + 1000 * n for n in range(5000)]
    spoilt = [*rows[:4000], rows[4000].replace("475.3,", "475.3 ,"), *rows[4001:]]
    assert _read_fast(page(*spoilt)) is None


def test_the_rows_of_two_lists_of_results_are_not_taken():
    twice = page(*ROWS).replace(b'"status"', b'"results":[],"status"')
    with pytest.raises(pa.ArrowInvalid, match="twice"):
        _read_fast(twice)


def test_separated_rows_are_lines_of_values_behind_commas():
    rows = decoder.split_rows(page(*ROWS[:2]))
    assert rows.keys == KEYS
    assert rows.values.decode().splitlines() == [
        ",15234,475.3,475.32,475.4,475.45,475.28,1704205800000,87",
        ",0.0073,475.3,475.32,184,475.45,0.05,1704205801000,1",
    ]
    assert (
        rows.remainder
        == page()[: -len(b'],"status":"OK","request_id":"abc"}')].replace(b'"resultsCount":0', b'"resultsCount":2')
        + b'],"status":"OK","request_id":"abc"}'
    )
