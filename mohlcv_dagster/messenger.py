"""Sends a text by apprise, in a process of its own: apprise and its libraries log addresses, which hold passwords.

As a command (`python -m mohlcv_dagster.messenger`) it reads the address and the text from its standard input, so that
no list of processes shows them, and ends with 0 where the text was taken.
"""

import importlib.util
import json
import subprocess
import sys
from typing import Final

NOT_TAKEN: Final = 1
UNKNOWN_ADDRESS: Final = 2
OTHER_FAILURE: Final = 3


def is_installed() -> bool:
    """Whether apprise is."""
    return importlib.util.find_spec("apprise") is not None


def send(url: str, text: str, timeout: float) -> int:
    """Send a text; 0, or what went wrong. Nothing of it is printed or logged here.

    Raises:
        subprocess.TimeoutExpired: it took more than `timeout` seconds.
        OSError: no process could be started.
    """
    words = [sys.executable, "-m", __name__]
    content = json.dumps([url, text]).encode()
    return subprocess.run(words, input=content, capture_output=True, timeout=timeout, check=False).returncode  # noqa: S603 - our own words, no shell


def main() -> int:
    """Send what is on the standard input; 0, or what went wrong."""
    import apprise  # noqa: PLC0415 - optional

    url, text = json.load(sys.stdin)
    sender = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
    if not sender.add(url):
        return UNKNOWN_ADDRESS
    return 0 if sender.notify(body=text, title="mohlcv", body_format=apprise.NotifyFormat.TEXT) else NOT_TAKEN


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # noqa: BLE001 - whatever a plugin raises; its words may hold the address
        sys.exit(OTHER_FAILURE)
