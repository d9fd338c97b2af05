"""`mohlcv completion`: print the script that lets a shell complete the command's words."""

from typing import Final

import click
from click.shell_completion import get_completion_class

_VARIABLE: Final = "_MOHLCV_COMPLETE"

_INSTALL: Final = {
    "bash": (
        "mkdir -p ~/.local/share/bash-completion/completions",
        "mohlcv completion bash > ~/.local/share/bash-completion/completions/mohlcv",
        "or, without the package bash-completion, this line in ~/.bashrc:",
        'eval "$(mohlcv completion bash)"',
    ),
    "zsh": (
        "mkdir -p ~/.zfunc && mohlcv completion zsh > ~/.zfunc/_mohlcv",
        "and in ~/.zshrc, before compinit is called:",
        "fpath+=~/.zfunc; autoload -U compinit && compinit",
    ),
    "fish": (
        "mkdir -p ~/.config/fish/completions",
        "mohlcv completion fish > ~/.config/fish/completions/mohlcv.fish",
    ),
}


@click.command("completion", short_help="Print the script for completion in a shell.")
@click.argument("shell", type=click.Choice(tuple(_INSTALL)))
def command(shell: str) -> None:
    """Print the script that completes commands, options, stored symbols and timeframes in SHELL.

    Its first lines describe the installation; shells started after that have it. `mohlcv` must be on the PATH, as it is
    after `uv tool install` or in an activated environment.

    \b
    Examples:
      mohlcv completion bash
      mohlcv completion zsh
      mohlcv completion fish
    """  # noqa: D301 - \b is click's mark for a paragraph kept as it is
    click.echo(script(shell))


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`; its first lines describe how to install it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"click has no completion for {shell!r}")
    root = click.Command("mohlcv")
    # not `source()`, which starts a bash to get its version, even if the script is for another machine
    completes = kind(root, {}, "mohlcv", _VARIABLE)
    body = completes.source_template % completes.source_vars()
    # zsh needs its marker on the first line
    first, _, rest = body.strip().partition("\n")
    marker, code = (f"{first}\n", rest) if first.startswith("#compdef") else ("", f"{first}\n{rest}")
    lines = "".join(f"#   {line}\n" for line in _INSTALL[shell])
    return f"{marker}# Completion of mohlcv for {shell}. To install it:\n{lines}\n{code.strip()}\n"
