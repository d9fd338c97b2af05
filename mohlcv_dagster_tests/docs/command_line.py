"""docs/command-line.md, made from the help of every command.

`uv run python -m mohlcv_dagster_tests.docs.command_line` writes the page; a test compares it with the code.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from mohlcv_dagster.cli import mohlcv

PAGE = Path(__file__).parents[2] / "docs/command-line.md"
_HEAD = """# The command line

Made from the code: `uv run python -m mohlcv_dagster_tests.docs.command_line` writes this page, and a test compares it
with the help of the command. Write `uv run` before each where the environment is not active. An option may also be
spelled with underscores, as in the original scripts: `--output_dir`.
"""
_PREFORMATTED = "\b"
_SENTENCE = 200
_CALL = re.compile(r"(?:[A-Z_]+=\S+ )*mohlcv ")
_CODE = re.compile(r"(`[^`]*`)")
_OPTION = re.compile(r"(?<![\w`-])--[a-z][a-z-]*")
_PAGE = re.compile(r"docs/([a-z-]+)\.md")
_REMARK = re.compile(r"(?<=\S) {2,}(?=\S)")


def page() -> str:
    """The whole of docs/command-line.md."""
    context = click.Context(mohlcv, info_name="mohlcv", **mohlcv.context_settings)
    return "\n\n".join([_HEAD.rstrip(), *_of_group(mohlcv, context, level=2)]) + "\n"


def _of_group(group: click.Group, context: click.Context, level: int) -> Iterator[str]:
    yield from _prose(group)
    members = _members(group, context)
    rows = [(f"[`{name}`]({_anchor(context, name)})", each.get_short_help_str(_SENTENCE)) for name, each in members]
    yield _table("command", rows)
    for name, each in members:
        yield from _of_command(each, click.Context(each, info_name=name, parent=context), level)


def _members(group: click.Group, context: click.Context) -> list[tuple[str, click.Command]]:
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    return [(name, each) for name, each in found if each is not None and not each.hidden]


def _anchor(context: click.Context, name: str) -> str:
    return f"#{context.command_path} {name}".replace(" ", "-")


def _of_command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}"
    yield f"```text\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    if isinstance(command, click.Group):
        yield from _of_group(command, context, level + 1)
        return
    yield from _prose(command)
    records = [each.get_help_record(context) for each in command.get_params(context) if isinstance(each, click.Option)]
    yield _table("option", [(f"`{names}`", told) for names, told in filter(None, records)])


def _prose(command: click.Command) -> Iterator[str]:
    """The help text in paragraphs; preformatted ones become blocks, those of examples blocks of bash."""
    for told in filter(None, (command.help, command.epilog)):
        for paragraph in inspect.cleandoc(told).split("\n\n"):
            preformatted = paragraph.startswith(_PREFORMATTED)
            yield (
                _preformatted(paragraph.removeprefix(_PREFORMATTED).strip("\n"))
                if preformatted
                else _escaped(paragraph)
            )


def _preformatted(text: str) -> str:
    head, _, rest = text.partition("\n")
    lines = inspect.cleandoc(f"\n{rest}").splitlines()
    if not lines or not all(_CALL.match(line) for line in lines):
        return f"```text\n{text}\n```"
    shown = "\n".join(_REMARK.sub("  # ", line, count=1) for line in lines)
    return f"{head}\n\n```bash\n{shown}\n```"


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    cells = [(name.replace("|", r"\|"), _escaped(told).replace("|", r"\|")) for name, told in rows]
    return "\n".join([f"| {head} | |", "|---|---|", *(f"| {name} | {told} |" for name, told in cells)])


def _escaped(text: str) -> str:
    """Help text as Markdown: options as code, pages as links, stars and brackets escaped."""
    return "".join(part if part.startswith("`") else _marked(part) for part in _CODE.split(text))


def _marked(text: str) -> str:
    plain = re.sub(r"([*_<>\[\]])", r"\\\1", text)
    return _PAGE.sub(r"[\g<0>](\1.md)", _OPTION.sub(r"`\g<0>`", plain))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
