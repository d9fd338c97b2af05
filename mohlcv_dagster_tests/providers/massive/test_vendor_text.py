"""A text of the vendor, made printable: no key in any spelling, no code of a terminal, never long."""

import base64
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mohlcv_dagster.errors import IncompletePageError, VendorError
from mohlcv_dagster.formatting import MOST_FROM_OUTSIDE, escaped, printable
from mohlcv_dagster.providers.massive.reference import parse_document, read_details, read_splits
from mohlcv_dagster.providers.massive.vendor_text import Secret

KEY = "pk/Never+5how~Th1s=Key-0123456"
SECRET = Secret(KEY)
CHARACTERS = st.characters(exclude_categories=())  # half surrogate pairs too

_WAYS = (
    lambda each: each,
    lambda each: f"%{ord(each):02X}",
    lambda each: f"%{ord(each):02x}",
    lambda each: f"\\u{ord(each):04x}",
    lambda each: f"&#{ord(each)};",
    lambda each: f"&#x{ord(each):X};",
)
SPELLED = st.lists(st.sampled_from(_WAYS), min_size=len(KEY), max_size=len(KEY)).map(
    lambda ways: "".join(way(each) for way, each in zip(ways, KEY, strict=True))
)


@given(before=st.text(CHARACTERS, max_size=300), spelled=SPELLED, behind=st.text(CHARACTERS, max_size=300))
def test_the_key_is_masked_however_its_characters_are_escaped_wherever_the_text_is_cut(before, spelled, behind):
    shown = SECRET.printable(before + spelled + behind)
    assert spelled[:40] not in shown
    assert KEY[:8] not in shown
    assert len(shown) <= MOST_FROM_OUTSIDE


@given(before=st.binary(max_size=40), behind=st.binary(max_size=40), urlsafe=st.booleans())
def test_the_key_is_masked_in_base64_of_any_text_around_it(before, behind, urlsafe):
    encode = base64.urlsafe_b64encode if urlsafe else base64.b64encode
    text = encode(before + KEY.encode() + behind).decode()
    shown = SECRET.redact(text)
    assert "***" in shown
    # at the most one digit on either side also holds bits of the key
    assert len(shown) <= len(text) - len(KEY) * 8 // 6 + 2 + len("***")


@given(st.text(CHARACTERS))
def test_a_text_is_printable_in_one_line_and_escaping_it_again_changes_nothing(text):
    shown = escaped(text)
    assert all(unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in shown)
    assert shown.encode().decode() == shown  # no half surrogate pair
    assert escaped(shown) == shown
    assert printable(printable(text)) == printable(text)


def test_a_plain_text_stays_as_it_is_and_a_long_one_says_that_it_goes_on():
    assert printable("Société Générale S.A. (Paris) – 法国") == "Société Générale S.A. (Paris) – 法国"
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 199 + "…"


def test_a_text_of_a_hundred_million_characters_takes_no_longer_than_a_short_one():
    assert len(SECRET.printable(KEY * 3_000_000)) <= MOST_FROM_OUTSIDE


def test_an_errors_causes_are_dropped_where_they_cannot_be_shown_as_they_are():
    for said in (KEY, "\x1b[2J", "x" * 500):
        error = VendorError(f"it said {said[:30]}", request_id=said)
        error.__cause__ = ValueError("outer")
        error.__cause__.__cause__ = ValueError(said)
        SECRET.redact_error(error)
        assert error.__cause__ is None
        assert all(said[:30] not in shown for shown in (str(error), error.request_id) if said != "x" * 500)
    harmless = VendorError("it said so")
    harmless.__cause__ = ValueError("because")
    SECRET.redact_error(harmless)
    assert str(harmless.__cause__) == "because"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"[" * 100_000, "not JSON"),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "the vendor's reference answered with"),
        (b'{"status":"\\u001b[2J%s"}' % (b"x" * 1_000_000), r"status '\\x1b[2Jxxx"),
        (b'{"x":"%s"}' % (b" " * 5_000_000), "more than 4,194,304"),
    ],
)
def test_a_document_that_is_deep_long_or_says_it_with_codes_is_refused_in_a_short_sentence(document, words):
    with pytest.raises(IncompletePageError) as refused:
        parse_document(document)
    assert words in str(refused.value)
    assert len(str(refused.value)) < 300
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("shares", [10**400, 1e300, -1, 0, True, "2", [["\x1b"] * 1000], None])
def test_shares_of_a_split_that_are_no_such_number_are_refused_in_a_short_sentence(shares):
    split = {"ticker": "SPY", "execution_date": "2024-06-10", "split_from": 1, "split_to": shares}
    document = parse_document(json.dumps({"results": [split]}).encode())
    with pytest.raises(IncompletePageError) as refused:
        read_splits(document, "SPY")
    assert len(str(refused.value)) < 300


def test_a_name_of_half_a_surrogate_pair_can_be_stored():
    document = parse_document(b'{"results":{"ticker":"SPY","name":"\\ud800 \\u202eInc."}}')
    assert read_details(document, "SPY").name == r"\ud800 \u202eInc."
