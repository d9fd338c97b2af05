"""docs/exit-codes.md, made from the table of the command: `python -m mohlcv_dagster_tests.cli.exit_codes_page`."""

from mohlcv_dagster.cli.exit_codes import ExitCode
from mohlcv_dagster_tests.tables import table

_HEAD = """\
# Exit codes

Every command of `mohlcv` exits with one of these. This page is made from `mohlcv_dagster/cli/exit_codes.py`.

"""

_END = """
For a process killed by a signal, shells show 128 plus the number of the signal: 137 for `kill -9`, 143 for `kill`. A
command that works on a month, or waits to, ends at `kill` as after Ctrl-C, with 130. No stored file is damaged: a file
is whole or absent. Run the same command again to continue.

## For scripts

With `--json`, where a command has it, standard output is one JSON document; everything else goes to standard error. A
command that fails prints a document, too:

```json
{
  "error": "no such symbol: QQQ; kept are SPY",
  "exit_code": 2
}
```

After an error in the command line there is a third entry, `cure`, which names the help to read.
"""


def page() -> str:
    """The page."""
    rows = [(f"`{code.value}`", code.meaning, code.cure) for code in ExitCode]
    return _HEAD + table(("code", "means", "what to do"), rows) + _END


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - it is what the module is for
