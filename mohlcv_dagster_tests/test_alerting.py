"""Alerts sent to a real webhook on loopback and to a real command, and the errors when they do not take them."""

import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mohlcv_dagster import alerting, messenger
from mohlcv_dagster.alerting import Alert
from mohlcv_dagster.errors import AlertError, SettingsError
from mohlcv_dagster.settings import Settings

SENTENCE = "1 of 9 bars has a high below its low; materialize raw_1s for SPY 2024-02 again."
ALERT = Alert("ohlc_order", "error", "raw_1s", "SPY", "2024-02", SENTENCE, "abc", "http://ui/runs/abc")


def settings(**variables):
    return Settings.from_environment({f"MOHLCV_{name}": value for name, value in variables.items()})


@contextmanager
def webhook(status=200):
    """A receiver on loopback: its address, and the bodies that were posted to it."""
    bodies = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/services/secret", bodies
        finally:
            server.shutdown()
            thread.join()


def test_the_text_says_severity_symbol_month_asset_check_sentence_and_where_to_look():
    assert alerting.text_of([ALERT]) == (
        f"mohlcv: 1 problem\n[error] SPY 2024-02 raw_1s ohlc_order: {SENTENCE}\n    http://ui/runs/abc"
    )


def test_many_are_one_message_that_counts_those_it_leaves_out():
    lines = alerting.text_of([ALERT] * 43).splitlines()

    assert lines[0] == "mohlcv: 43 problems"
    assert lines[-1] == "and 23 more: see the UI"
    assert len(lines) == 2 + 2 * 20


def test_a_webhook_gets_text_for_a_person_and_fields_for_a_program():
    with webhook() as (url, bodies):
        assert alerting.deliver([ALERT], settings(ALERT_URL=url)) is True

    [body] = bodies
    assert body["text"] == alerting.text_of([ALERT])
    assert body["alerts"][0]["symbol"] == "SPY"
    assert body["alerts"][0]["sentence"] == SENTENCE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404, 500])
def test_a_webhook_that_refuses_is_told_without_its_secret_address(status):
    with (
        webhook(status) as (url, _),
        pytest.raises(AlertError, match=f"at 127.0.0.1 refused the alert with status {status}") as told,
    ):
        alerting.deliver([ALERT], settings(ALERT_URL=url))
    assert "secret" not in str(told.value)


def test_a_webhook_that_cannot_be_reached_is_told_without_its_secret_address():
    with webhook() as (url, _):
        pass
    with pytest.raises(AlertError, match="cannot be reached") as told:
        alerting.deliver([ALERT], settings(ALERT_URL=url))
    assert "secret" not in str(told.value)


@pytest.fixture
def _with_apprise():
    pytest.importorskip("apprise", reason="uv sync --group alerts installs it")


def service(url):
    """The address of a webhook as apprise's service `json`, with a user and a password."""
    return url.replace("http://", "json://me:password1@")


@pytest.mark.usefixtures("_with_apprise")
def test_a_messenger_gets_the_text_through_apprise():
    with webhook() as (url, bodies):
        assert alerting.deliver([ALERT], settings(ALERT_URL=service(url))) is True

    [body] = bodies
    assert body["message"] == alerting.text_of([ALERT])
    assert alerting.destination(settings(ALERT_URL=service(url))) == "json through apprise"


@pytest.mark.usefixtures("_with_apprise")
@pytest.mark.parametrize("status", [302, pytest.param(500, marks=pytest.mark.slow)])
def test_a_messenger_that_refuses_or_redirects_is_told_without_its_secret_address(status, capfd, caplog):
    caplog.set_level("DEBUG")
    with webhook(status) as (url, _), pytest.raises(AlertError, match="did not take the alert") as told:
        alerting.deliver([ALERT], settings(ALERT_URL=service(url)))
    assert str(told.value) == (
        "json (through apprise) did not take the alert or cannot be reached: look at MOHLCV_ALERT_URL"
    )
    said = "".join(capfd.readouterr()) + caplog.text
    assert "password1" not in said
    assert "secret" not in said


@pytest.mark.usefixtures("_with_apprise")
@pytest.mark.parametrize("url", ["slack://secret1", pytest.param("nosuch://secret1/a", marks=pytest.mark.slow)])
def test_an_address_that_apprise_does_not_know_is_told_without_it(url, capfd):
    with pytest.raises(AlertError, match=r"in this form: look at MOHLCV_ALERT_URL$") as told:
        alerting.deliver([ALERT], settings(ALERT_URL=url))
    assert "secret1" not in str(told.value) + "".join(capfd.readouterr())


def test_without_apprise_a_messengers_address_is_told_with_the_cure(monkeypatch):
    monkeypatch.setattr(messenger, "is_installed", lambda: False)

    with pytest.raises(AlertError, match="`uv sync --group alerts`") as told:
        alerting.deliver([ALERT], settings(ALERT_URL="slack://secret1/a/b"))
    assert "secret1" not in str(told.value)


def test_a_command_gets_the_text_on_its_input_and_the_fields_in_a_variable(tmp_path):
    script = tmp_path / "told.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "told = [sys.stdin.read(), json.loads(os.environ['MOHLCV_ALERT'])['alerts'][0]['what'], sys.argv[1]]\n"
        "pathlib.Path(__file__).with_suffix('.json').write_text(json.dumps(told))\n"
    )
    alerting.deliver([ALERT], settings(ALERT_COMMAND=f"{sys.executable} {script} 'with blanks'"))

    told = json.loads(script.with_suffix(".json").read_text())
    assert told == [f"{alerting.text_of([ALERT])}\n", "ohlc_order", "with blanks"]


STRANGE = {
    "a megabyte": "x" * 1_000_000 + " cure.",
    "emoji": "\N{FIRE}" * 10_000 + " cure.",
    "no UTF-8": "\udc80 a surrogate; cure.",
    "a NUL": "\0; cure.",
    "for a shell": "$(touch HERE) `touch HERE` '; touch HERE; cure.",
}


@pytest.mark.parametrize("sentence", STRANGE.values(), ids=STRANGE)
def test_whatever_a_text_holds_the_command_gets_it_bounded_and_nothing_is_executed(tmp_path, monkeypatch, sentence):
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "told.py"
    script.write_text(
        "import os, pathlib, sys\n"
        "told = sys.stdin.buffer.read() + os.environb[b'MOHLCV_ALERT']\n"
        "pathlib.Path('told').write_bytes(told)\n"
        "sys.stdout.buffer.write(bytes([255]))\n"
    )
    alert = Alert("ohlc_order", "error", "raw_1s", "SPY", "2024-02", sentence, "abc", "")

    alerting.deliver([alert] * 25, settings(ALERT_COMMAND=f"{sys.executable} {script}"))

    told = (tmp_path / "told").read_bytes().decode()
    assert told.count("cure.") == 60  # twenty as text, and twenty each in the JSON's text and alerts
    assert len(told) < 60_000
    assert {at.name for at in tmp_path.iterdir()} == {"told.py", "told"}


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/nonexistent/mail me", "No such file"),
        ("sh -c 'echo no route >&2; exit 3'", "ended with status 3: no route"),
        ("mail 'unclosed", "No closing quotation"),
    ],
)
def test_a_command_that_fails_says_why(command, why):
    with pytest.raises(AlertError, match=why):
        alerting.deliver([ALERT], settings(ALERT_COMMAND=command))


def test_without_webhook_and_command_it_is_the_log_and_both_at_once_are_refused():
    assert alerting.deliver([ALERT], settings()) is False
    assert alerting.destination(settings()) == "the log"
    assert alerting.destination(settings(ALERT_URL="https://hooks.example/secret")) == "the webhook at hooks.example"
    with pytest.raises(AlertError, match="unset one of them"):
        alerting.destination(settings(ALERT_URL="https://hooks.example/x", ALERT_COMMAND="mail me"))


def test_an_invalid_address_is_refused_without_being_quoted():
    with pytest.raises(SettingsError, match="MOHLCV_ALERT_URL cannot be used: write it as https://host/path") as told:
        settings(ALERT_URL="hooks.example/secret")
    assert "secret" not in str(told.value)
    assert "secret" not in repr(settings(ALERT_URL="https://hooks.example/secret"))
