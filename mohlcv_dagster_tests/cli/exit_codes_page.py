"""docs/exit-codes.md, made from the table of the command: `python -m mohlcv_dagster_tests.cli.exit_codes_page`."""

from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster_tests.tables import table

_HEAD = """\
# Exit codes

Every command of `mohlcv` exits with one of these. This page is made from `mohlcv_dagster/cli/exit_codes.py`.

"""

_END = """
A process killed by a signal has no code of its own; shells show 128 plus the number of the signal, such as 137 for
`kill -9` and 143 for `kill`. Neither breaks what is stored: a file is whole or absent, and the same command continues
from there.

## For scripts

Where a command has `--json`, it prints one JSON document on standard output and everything else on standard error. A
command that fails prints a document too:

```json
{
  "error": "no such symbol: QQQ; kept are SPY",
  "exit_code": 2
}
```

An error in the command line has a third entry, `cure`, which names the help to read.
"""


def page() -> str:
    """The page."""
    rows = [(f"`{code.value}`", code.meaning, code.cure) for code in ExitCode]
    return _HEAD + table(("code", "means", "what to do"), rows) + _END


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - it is what the module is for
