"""Print docs/cli.md, the reference of the command line: `make reference`."""

from __future__ import annotations

import click

from pellucid.cli import cli

HEAD = "# Command line\n\nMade by `make reference` from the help of each verb. Exit status: 0 done, 2 wrong use, 1 failed.\n"


def reference() -> str:
    """The help of the command and of every verb, as Markdown."""
    top = click.Context(cli, info_name="pellucid", terminal_width=110, **cli.context_settings)
    parts = [HEAD, f"```text\n{cli.get_help(top)}\n```\n"]
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        assert command is not None
        text = command.get_help(click.Context(command, info_name=name, parent=top, terminal_width=110))
        parts.append(f"## {name}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
