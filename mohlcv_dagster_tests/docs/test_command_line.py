import click

from mohlcv_dagster_tests.docs import command_line


def test_the_page_is_what_the_commands_say_of_themselves():
    said = command_line.PAGE.read_text(encoding="utf-8")

    assert said == command_line.page(), "run: uv run python -m mohlcv_dagster_tests.docs.command_line"


def test_a_command_is_told_with_its_usage_examples_and_options():
    @click.command()
    @click.argument("folder")
    @click.option("--at", type=click.Choice(["here", "there"]))
    @click.option("--deep", is_flag=True, help="Look [deep] with --all, not `look --all`.")
    def look(folder, at, deep):
        """Look around.

        \b
        Examples:
          mohlcv look here      and not there
        """

    told = "\n\n".join(command_line._of_command(look, click.Context(look, info_name="look"), level=2))

    assert told == (
        "## look\n\n```text\nlook [OPTIONS] FOLDER\n```\n\nLook around.\n\n"
        "Examples:\n\n```bash\nmohlcv look here  # and not there\n```\n\n"
        "| option | |\n|---|---|\n| `--at [here\\|there]` |  |\n"
        "| `--deep` | Look \\[deep\\] with `--all`, not `look --all`. |\n"
        "| `--help` | Show this message and exit. |"
    )
