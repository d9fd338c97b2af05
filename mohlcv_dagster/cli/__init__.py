"""The `mohlcv` command, thin: it reads options, calls the rooms below, and says what happened."""


def main() -> None:
    """Run the command."""
    raise SystemExit("mohlcv: not built yet")
