"""WHO is told when something is wrong: a command, a webhook, or nobody but the log. What is wrong is found in `defs`.

A webhook gets a POST of JSON that Slack, Mattermost and the like understand::

    {"text": "1 thing is wrong…", "alerts": [{"what": "ohlc_order", "asset": "raw_1s", "symbol": "SPY", …}]}

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

from mohlcv_dagster.errors import AlertError
from mohlcv_dagster.settings import ALERT_COMMAND, ALERT_URL, Settings

PATIENCE: Final = 30
"""Seconds that a command or a webhook has to take an alert."""
MOST_TOLD: Final = 20
"""How many are told in one message; the rest is counted. A backfill may find the same fault in a hundred months."""
VARIABLE: Final = "MOHLCV_ALERT"
_SHOWN: Final = 200
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
    def said(self) -> str:
        """All of it, in one or two lines."""
        about = " ".join(each for each in (self.symbol, self.month, self.asset, self.what) if each)
        return f"[{self.severity}] {about}: {self.sentence}" + (f"\n    {self.link}" if self.link else "")


def text_of(alerts: Sequence[Alert]) -> str:
    """The alerts as one message for a person, the first `MOST_TOLD` of them."""
    lines = [f"mohlcv: {len(alerts):,} {'thing is' if len(alerts) == 1 else 'things are'} wrong"]
    lines += [alert.said for alert in alerts[:MOST_TOLD]]
    if len(alerts) > MOST_TOLD:
        lines.append(f"and {len(alerts) - MOST_TOLD:,} more: see the UI")
    return "\n".join(lines)


def destination(settings: Settings) -> str:
    """Where alerts go, in words that give no secret away.

    Raises:
        AlertError: two places are set.
    """
    if settings.alert_url and settings.alert_command:
        raise AlertError(f"both {ALERT_URL.variable} and {ALERT_COMMAND.variable} are set: leave one of them away")
    if settings.alert_url:
        return f"the webhook at {urlsplit(settings.alert_url).hostname}"
    return "the command" if settings.alert_command else "the log"


def deliver(alerts: Sequence[Alert], settings: Settings) -> bool:
    """Tell the alerts as one message to whoever the settings name; whether there is anybody.

    Raises:
        AlertError: it did not take them; trying again later may help.
    """
    destination(settings)
    told = json.dumps({"text": text_of(alerts), "alerts": [asdict(alert) for alert in alerts[:MOST_TOLD]]})
    if settings.alert_url:
        _post(settings.alert_url, told.encode())
    elif settings.alert_command:
        _run(settings.alert_command, text_of(alerts), told)
    return bool(settings.alert_url or settings.alert_command)


def _post(url: str, body: bytes) -> None:
    import urllib.error  # noqa: PLC0415 - a code location loads this module, and seldom has anything to tell
    import urllib.request  # noqa: PLC0415 - as above

    where = urlsplit(url).hostname  # the rest of the address is a secret
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - settings allow http(s) alone
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - as above
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except OSError as error:
        why = getattr(error, "reason", error)
        raise AlertError(f"the webhook at {where} cannot be reached ({why}): look at {ALERT_URL.variable}") from error
    if status not in _OK:
        raise AlertError(f"the webhook at {where} refused the alert with status {status}: look at {ALERT_URL.variable}")


def _run(command: str, text: str, told: str) -> None:
    environment = {**os.environ, VARIABLE: told}
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, and no shell
            shlex.split(command),
            input=text,
            text=True,
            capture_output=True,
            timeout=PATIENCE,
            env=environment,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise AlertError(f"the command in {ALERT_COMMAND.variable} did not take the alert: {error}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[:_SHOWN]
        raise AlertError(f"the command in {ALERT_COMMAND.variable} ended with status {done.returncode}: {said}")
