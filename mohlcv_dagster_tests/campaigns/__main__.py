"""Runs a campaign by its name: `crash-points` is `main` of the module `crash_points`."""

import importlib
import sys
from pathlib import Path


def commands() -> list[str]:
    """The names of the campaigns: the modules of this folder that have a function `main`."""
    modules = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    return [module.stem.replace("_", "-") for module in modules if "\ndef main(" in module.read_text(encoding="utf-8")]


def run(arguments: list[str]) -> int:
    """Run the campaign named first with the other arguments."""
    if not arguments or arguments[0] not in commands():
        sys.stderr.write(f"usage: python -m mohlcv_dagster_tests.campaigns {{{','.join(commands())}}} …\n")
        return 2
    name, *others = arguments
    module = importlib.import_module(f"mohlcv_dagster_tests.campaigns.{name.replace('-', '_')}")
    return int(module.main(others) or 0)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
