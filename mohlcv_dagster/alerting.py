"""Sends alerts to a webhook, a messenger or a command, or only to the log. `defs` finds what is wrong.

A webhook gets a POST of JSON that Slack, Mattermost and the like understand::

    {"text": "mohlcv: 1 problem…", "alerts": [{"what": "ohlc_order", "asset": "raw_1s", "symbol": "SPY", …}]}

A messenger (an address such as `slack://…` or `mailto://…`) gets the text, through the package apprise.
A command gets the text on its standard input, and the JSON in the variable `MOHLCV_ALERT`.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlsplit

from mohlcv_dagster import messenger
from mohlcv_dagster.errors import AlertError
from mohlcv_dagster.formatting import printable, quantity
from mohlcv_dagster.settings import ALERT_COMMAND, ALERT_URL, WEB, Settings

TIMEOUT: Final = 30
"""Seconds that a command or a webhook has to take an alert."""
MOST_IN_A_MESSAGE: Final = 20
"""Further alerts are counted: a backfill may find the same fault in a hundred months."""
MOST_CHARACTERS: Final = 600
"""Of each text of an alert, so that a message fits into a variable, which may have 128 kB; the middle is left out."""
VARIABLE: Final = "MOHLCV_ALERT"
_SHORTEST_MASKED: Final = 8
"""Characters of an argument of the command; a shorter one is an option or a word."""
_OK: Final = range(200, 300)


@dataclass(frozen=True)
class Alert:
    """One thing that is wrong.

    Attributes:
        what: the check that failed, or `run` for a run that did.
        severity: `error` or `warning`.
        asset: such as `raw_1s`; empty where it is not known.
        symbol: empty where it is not known, or where it is about several.
        month: such as `2024-01`, or `2024-01...2024-12`; empty where it is not known.
        sentence: what is wrong, how many, where, and what to do.
        run_id: the run that found it; empty where there was none.
        link: to that run in the UI; empty where the UI's address is not known.
    """

    what: str
    severity: str
    asset: str
    symbol: str
    month: str
    sentence: str
    run_id: str
    link: str

    @property
    def text(self) -> str:
        """The alert for a person, in one or two lines."""
        about = " ".join(each for each in (self.symbol, self.month, self.asset, self.what) if each)
        return f"[{self.severity}] {about}: {self.sentence}" + (f"\n    {self.link}" if self.link else "")


def text_of(alerts: Sequence[Alert]) -> str:
    """The alerts as one message for a person, the first `MOST_IN_A_MESSAGE` of them."""
    lines = [f"mohlcv: {quantity(len(alerts), 'problem')}"]
    lines += [alert.text for alert in alerts[:MOST_IN_A_MESSAGE]]
    if len(alerts) > MOST_IN_A_MESSAGE:
        lines.append(f"and {len(alerts) - MOST_IN_A_MESSAGE:,} more: see the UI")
    return "\n".join(lines)


def destination(settings: Settings) -> str:
    """Where alerts go, without secrets.

    Raises:
        AlertError: both a webhook and a command are set.
    """
    if settings.alert_url and settings.alert_command:
        raise AlertError(f"both {ALERT_URL.variable} and {ALERT_COMMAND.variable} are set: unset one of them")
    if settings.alert_url:
        address = urlsplit(settings.alert_url)
        # of a messenger's address the host may be a token
        return f"the webhook at {address.hostname}" if address.scheme in WEB else f"{address.scheme} through apprise"
    return "the command" if settings.alert_command else "the log"


def deliver(alerts: Sequence[Alert], settings: Settings) -> bool:
    """Send the alerts as one message to the webhook, messenger or command of the settings; whether there is one.

    Raises:
        AlertError: it refused them or cannot be reached; trying again later may help.
    """
    destination(settings)
    alerts = [Alert(**{name: _cut(text) for name, text in asdict(alert).items()}) for alert in alerts]
    text = text_of(alerts)
    fields = {"text": text, "alerts": [asdict(alert) for alert in alerts[:MOST_IN_A_MESSAGE]]}
    if settings.alert_url and urlsplit(settings.alert_url).scheme not in WEB:
        _notify(settings.alert_url, text)
    elif settings.alert_url:
        _post(settings.alert_url, json.dumps(fields).encode())
    elif settings.alert_command:
        _run(settings.alert_command, text, json.dumps(fields, ensure_ascii=False))
    return bool(settings.alert_url or settings.alert_command)


def _cut(text: str) -> str:
    """A text of at most `MOST_CHARACTERS`, with its beginning and its end, which has the cure."""
    end = MOST_CHARACTERS // 3
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - end - 3]} … {text[-end:]}"


def _post(url: str, body: bytes) -> None:
    import http.client  # noqa: PLC0415 - a code location loads this module, and seldom has anything to send
    import urllib.error  # noqa: PLC0415 - as above
    import urllib.request  # noqa: PLC0415 - as above

    class NotFollowed(urllib.request.HTTPRedirectHandler):
        """A redirect is an answer: where it is followed, the POST becomes a GET that has no alert in it."""

        def redirect_request(self, *_: object) -> None:
            return None

    host = urlsplit(url).hostname  # the rest of the address is a secret
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - settings allow http(s) alone
    try:
        with urllib.request.build_opener(NotFollowed).open(request, timeout=TIMEOUT) as answer:
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        # not from the error: it may quote the address, or that of a proxy
        why = f"the webhook at {host} cannot be reached ({_reason(error)}): look at {ALERT_URL.variable}"
        raise AlertError(why) from None
    if status not in _OK:
        raise AlertError(f"the webhook at {host} refused the alert with status {status}: look at {ALERT_URL.variable}")


def _notify(url: str, text: str) -> None:
    look = f"look at {ALERT_URL.variable}"
    if not messenger.is_installed():
        raise AlertError(
            f"{ALERT_URL.variable} names a messenger, which needs the package apprise: install it with "
            "`uv sync --group alerts`, or set the address of a webhook"
        )
    service = f"{urlsplit(url).scheme} (through apprise)"  # the rest of the address is a secret
    try:
        code = messenger.send(url, text, TIMEOUT)
    except subprocess.TimeoutExpired:
        raise AlertError(f"{service} took more than {TIMEOUT} s: {look}") from None
    if code == messenger.UNKNOWN_ADDRESS:
        raise AlertError(f"apprise knows no address of {service} in this form: {look}")
    if code:
        raise AlertError(f"{service} did not take the alert or cannot be reached: {look}")


def _reason(error: Exception) -> str:
    """What the operating system says, or the kind of error: libraries quote addresses in theirs."""
    reason = getattr(error, "reason", error)
    system = isinstance(reason, OSError) and reason.errno is not None and reason.strerror
    return printable(system or type(reason).__name__)


def _run(command: str, text: str, fields: str) -> None:
    environment = {**os.environ, VARIABLE: os.fsdecode(fields.encode(errors="replace"))}
    failed = f"the command in {ALERT_COMMAND.variable} did not take the alert: "
    try:
        words = shlex.split(command)
        done = subprocess.run(  # noqa: S603 - the user's own command, and no shell
            words,
            input=f"{text}\n".encode(errors="replace"),
            capture_output=True,
            timeout=TIMEOUT,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:  # it quotes the command, which is a secret
        raise AlertError(f"{failed}it took more than {TIMEOUT} s") from None
    except (OSError, ValueError) as error:
        raise AlertError(f"{failed}{error}") from error
    if done.returncode:
        output = _without_words(words, (done.stderr or done.stdout).decode(errors="replace").strip())
        raise AlertError(
            f"the command in {ALERT_COMMAND.variable} ended with status {done.returncode}: {printable(output)}"
        )


def _without_words(words: Sequence[str], output: str) -> str:
    """What a command says without its own arguments, as some programs quote an address or a token."""
    for word in sorted(words[1:], key=len, reverse=True):
        output = output.replace(word, "***") if len(word) >= _SHORTEST_MASKED else output
    return output
