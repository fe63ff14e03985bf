"""What `--help` promises of each command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reconcile.cli
from reconcile.cli.app import COMMANDS, load_command
from reconcile.errors import ExitCode
from tests.support.command import Run

pytestmark = pytest.mark.process

NOT_COMMANDS = {
    *(
        "__init__",
        "app",
        "apply_changes",
        "approval",
        "completion",
        "drift_actions",
        "error_boundary",
        "json_lines",
        "log_output",
        "main",
        "next_step",
        "option_values",
        "options",
    ),
    *("progress", "progress_line", "read_only_guard", "run_reading"),
    *("standard_input", "standard_streams"),
    *("terminal", "workspaces"),
}
ROOT = Path(reconcile.cli.__file__).parent


def subcommands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    for name in COMMANDS:
        command = load_command(name)
        parts = getattr(command, "commands", None)
        if parts is None or command.invoke_without_command:
            yield (name,), command
        if parts is not None:
            yield from (((name, part), parts[part]) for part in parts)


LEAVES = dict(subcommands())


def first_sentence(command: Any) -> str:
    return str(command.help).partition("\n\n")[0]


def test_the_table_names_each_module_that_is_a_command() -> None:
    modules = {path.stem for path in ROOT.glob("*.py")} | {"demo"}

    assert set(COMMANDS) == modules - NOT_COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_has_the_commands_own_summary(name: str) -> None:
    assert COMMANDS[name] == first_sentence(load_command(name))


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_summary_is_one_short_sentence(words: tuple[str, ...]) -> None:
    summary = first_sentence(LEAVES[words])

    assert re.fullmatch(r"[A-Z][^.]*\.", summary.replace("reconcile.yaml", ""))
    assert len(summary) <= 66


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_command_shows_an_example_of_itself(words: tuple[str, ...]) -> None:
    examples = re.search(r"Examples?:\n((?:  .*\n)+)", str(LEAVES[words].help))

    assert examples
    assert all(f"reconcile {' '.join(words)}" in line for line in examples[1].splitlines())


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_a_command_lists_its_exit_codes(words: tuple[str, ...]) -> None:
    listed = re.search(r"Exit codes:\n((?:  .*\n?)+)", str(LEAVES[words].help))

    assert listed
    codes = [int(line.split()[0]) for line in listed[1].splitlines()]
    assert sorted({ExitCode.OK, ExitCode.ERROR, *codes}) == codes
    assert {*codes} <= {*ExitCode}


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_the_options_that_all_share(words: tuple[str, ...]) -> None:
    names = {name for option in LEAVES[words].params for name in option.opts}

    assert {"--file", "--json", "-v", "--verbose", "--log-json"} <= names


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_option_is_described(words: tuple[str, ...]) -> None:
    undescribed = [option.name for option in LEAVES[words].params if not option.help]

    assert [] == undescribed


@pytest.mark.parametrize("words", [("plan",), ("state", "forget")], ids=" ".join)
def test_help_into_a_pipe_fits_80_columns(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words, "--help")

    assert (0, "") == (done.returncode, done.stderr)
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_fits_80_columns_and_shows_no_types_of_python(words: tuple[str, ...]) -> None:
    command = LEAVES[words]
    context = command.context_class(command, info_name=" ".join(words), terminal_width=80)

    text = command.get_help(context)

    assert [] == [line for line in text.splitlines() if len(line) > 80]
    assert [] == re.findall(r"<(?:str|int|float|list|Path)\b.*?>", text)
