"""The key and the address: what is refused, and that the key is never shown."""

import logging
import traceback

import pytest

from mohlcv_dagster.errors import MissingKeyError, SettingsError, VendorError
from mohlcv_dagster.vendor.massive import MassiveVendor
from mohlcv_dagster_tests.vendor.scripted import KEY, MONTH, START, Reply, page, row

RECORDED_403 = (
    b'{"status":"NOT_AUTHORIZED","request_id":"a061","message":"You are not entitled to this data. Please upgrade"}'
)


@pytest.mark.parametrize("key", ["", "  \n"])
def test_a_missing_key_names_the_file_and_the_variable(key):
    with pytest.raises(MissingKeyError, match=r"\.env.*MASSIVE_API_KEY"):
        MassiveVendor(key)


@pytest.mark.parametrize("url", ["", "api.massive.com", "ftp://x", "http://", "http://me:pw@host", "http://host?x=1"])
def test_a_base_url_that_cannot_be_meant_is_refused_without_showing_a_password(url):
    with pytest.raises(SettingsError) as caught:
        MassiveVendor(KEY, url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b'{"status":"ERROR","request_id":"%s","error":"Unknown API Key %s"}' % (KEY.encode(), KEY.encode()), 401),
        Reply(b"<html>%s%s" % (b"." * 185, KEY.encode()), 500),
        Reply(RECORDED_403.replace(b"upgrade", KEY.encode()), 403),
        Reply(KEY.encode()),
        Reply(b'{"results":[{"t":"%s"}]}' % KEY.encode()),
        Reply(b'{"ticker":"%s","status":"OK","resultsCount":0,"adjusted":false}' % KEY.encode()),
        Reply(b'{"status":"%s","request_id":"%s","resultsCount":0}' % (KEY.encode(), KEY.encode())),
        Reply(reset=True),
    ],
)
def test_the_key_appears_in_no_error_log_or_repr(server, fake, reply, caplog, capsys):
    server.answer = lambda asked: reply
    with (
        caplog.at_level(logging.DEBUG),
        MassiveVendor(KEY, server.url, clock=fake.clock) as vendor,
        pytest.raises(VendorError) as caught,
    ):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")
    printed = capsys.readouterr()
    told = "".join(traceback.format_exception(caught.value)) + caplog.text + printed.out + printed.err
    assert "urllib3" in caplog.text
    for shown in (told, repr(caught.value), str(vars(caught.value)), repr(vendor), str(caught.value.__cause__)):
        assert KEY[:8] not in shown


def test_a_request_id_that_echoes_the_key_is_masked(vendor, server):
    server.answer = lambda asked: page(asked, [row(START)], request_id=KEY)
    assert vendor.fetch_month("SPY", MONTH, timeframe="minute").request_ids == ("***",)


@pytest.mark.parametrize("word", ["x", "sandbox"])
def test_a_word_in_place_of_a_key_does_not_mangle_what_is_said(server, word):
    server.answer = lambda asked: page(asked, [row(START)], request_id="sandbox-9ec5")
    with MassiveVendor(word, server.url) as vendor:
        assert vendor.fetch_month("SPY", MONTH, timeframe="minute").request_ids == ("sandbox-9ec5",)
    server.answer = lambda asked: Reply(b'{"status":"ERROR","error":"exactly one box in the sandbox"}', 400)
    with MassiveVendor(word, server.url) as vendor, pytest.raises(VendorError, match="exactly one box in the sandbox"):
        vendor.fetch_month("SPY", MONTH, timeframe="minute")


def test_a_key_that_no_header_can_carry_is_refused_unshown():
    with pytest.raises(SettingsError) as caught:
        MassiveVendor("pk-one\npk-two")
    assert "pk-" not in str(caught.value)


def test_the_clients_own_handler_is_taken_off_its_logger(vendor):
    vendor.fetch_month("SPY", MONTH)
    assert not [
        handler for handler in logging.getLogger("RESTClient").handlers if type(handler) is logging.StreamHandler
    ]
