"""No address with a secret in it is quoted: not by an error, a diagnosis, a repr, a command or a failed alert."""

import urllib.request

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mohlcv_dagster import alerting
from mohlcv_dagster.cli import diagnostics
from mohlcv_dagster.errors import AlertError, InputError, SettingsError
from mohlcv_dagster.formatting import has_credentials
from mohlcv_dagster.settings import Settings
from mohlcv_dagster.storage.locations import resolve_path

HUSH = "Hu5hN3ver"
ADDRESSES = ("MASSIVE_BASE_URL", "MOHLCV_DATA_DIR", "MOHLCV_ALERT_URL", "MOHLCV_UI_URL", "MOHLCV_CALENDAR")

_SCHEME = st.sampled_from(["http", "https", "ftp", "sftp", "s3", "simplecache::sftp", "filecache::simplecache::sftp"])
_JUNK = st.text(st.sampled_from("@:/?#[]% é\t\x1b\\'\"."), max_size=3)
_SECRET = st.builds(lambda before, behind: f"{before}{HUSH}{behind}", _JUNK, _JUNK)
_HOST = st.sampled_from(["127.0.0.1:9", "[::1]:9", "127.0.0.1:x", "[::1", "ex ample", "exämple", ""])
_PLACES = st.sampled_from(["{s}://user:{x}@{h}/bars", "{s}://:{x}@{h}", "{s}://{h}/bars?token={x}", "{s}://{h}#{x}"])
_ADDRESS = st.builds(lambda place, s, x, h: place.format(s=s, x=x, h=h), _PLACES, _SCHEME, _SECRET, _HOST)


def said(act, *expected):
    try:
        return repr(act())
    except expected as error:
        return f"{error}{error!r}{error.__cause__!r}{'' if error.__suppress_context__ else error.__context__!r}"


@given(address=_ADDRESS)
@example(f"https://[{HUSH}@127.0.0.1:9")
@example(f"simplecache::sftp://user:{HUSH}@127.0.0.1:9/bars")
@example(f"https://user:{HUSH}/")
@pytest.mark.parametrize("variable", ADDRESSES)
def test_a_secret_in_an_address_is_in_no_error_repr_or_diagnosis(variable, address):
    environment = {variable: address}
    diagnoses = list(diagnostics.settings(environment, {}))
    shown = said(lambda: Settings.from_environment(environment), SettingsError)
    assert HUSH not in shown
    assert HUSH not in repr(diagnoses)


@given(address=_ADDRESS)
def test_a_secret_in_the_address_of_a_folder_is_not_quoted(address):
    assert HUSH not in said(lambda: resolve_path(address), InputError)


@given(
    address=st.builds(
        lambda place, x: place.format(x=x),
        st.sampled_from(["http://127.0.0.1:9/{x}", "http://user:{x}@127.0.0.1:9/", "http://127.0.0.1:9/?{x}"]),
        _SECRET,
    )
)
def test_a_webhook_that_cannot_be_reached_or_is_malformed_is_an_error_without_its_address(address):
    def send():
        return alerting.deliver([], Settings.from_environment({"MOHLCV_ALERT_URL": address}))

    assert HUSH not in said(send, AlertError, SettingsError)


@pytest.mark.parametrize(
    "proxy", [f"http://user:{HUSH}@127.0.0.1:9", f"user:{HUSH}@127.0.0.1:x", f"http://[{HUSH}", f"/{HUSH}"]
)
def test_a_proxys_address_is_in_no_error_of_an_alert(monkeypatch, proxy):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(urllib.request, "_opener", None)
    settings = Settings.from_environment({"MOHLCV_ALERT_URL": "http://hooks.example/x"})
    assert HUSH not in said(lambda: alerting.deliver([], settings), AlertError)
    monkeypatch.setattr(urllib.request, "_opener", None)


@pytest.mark.parametrize(
    "script",
    [
        f"echo {HUSH} >&2; exit 3",
        f"printf 'curl: https://x/{HUSH} \\033]0;owned\\007' >&2; exit 3",
        f"sleep 9 # {HUSH}",
    ],
)
def test_a_command_that_fails_is_not_quoted_nor_what_it_quotes_of_itself(monkeypatch, script):
    monkeypatch.setattr(alerting, "TIMEOUT", 0.5)
    settings = Settings.from_environment({"MOHLCV_ALERT_COMMAND": f'sh -c "{script}" https://x/{HUSH} {HUSH}'})
    shown = said(lambda: alerting.deliver([], settings), AlertError)
    assert "MOHLCV_ALERT_COMMAND" in shown
    assert HUSH not in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    "address",
    [
        "s3://bucket/bars",
        "sftp://user@files.example:22/bars",
        "abfs://container@account.dfs.core.windows.net/bars",
        "simplecache::s3://bucket/bars",
        "memory://bars",
        "file:///srv/100%25/what?/bars",
        "https://[2001:db8::1]:8080/bars",
    ],
)
def test_an_address_without_a_password_is_none_of_these(address):
    assert not has_credentials(address)


@pytest.mark.parametrize("given", [f"simplecache::sftp://user:{HUSH}@files.example/bars", f"https://[{HUSH}@x"])
@pytest.mark.parametrize(
    "words",
    [
        ("doctor", "--offline"),
        ("plan", "--symbol", "SPY", "--start", "2024-01-01", "--end", "2024-01-31"),
        ("validate", "--input-dir", "{}", "--timeframe", "1s"),
        ("verify", "{}"),
        ("adopt", "{}"),
        ("resample", "--symbol", "SPY", "--input-dir", "{}"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_prints_the_password_of_an_address_or_a_traceback(mohlcv, monkeypatch, given, words):
    if "{}" not in words:
        monkeypatch.setenv("MASSIVE_BASE_URL", given)
        monkeypatch.setenv("MOHLCV_DATA_DIR", given)
    ended = mohlcv(*(word.format(given) for word in words))
    assert ended.code in (1, 2)
    for shown in (ended.out, ended.err):
        assert HUSH not in shown
        assert "Traceback" not in shown
