"""Every command of the command lines says in its own help what it does, and names that help for a wrong argument."""

import argparse
from collections.abc import Iterator

import pytest

from emulation.cli import emulation_cli
from infrastructure import infrastructure_cli
from local.cli import command_options
from orchestration.__main__ import parser
from pinterest_transforms.errors import SettingsError
from workspace import workspace_cli

BUILD = (
    command_options.build_parser,
    emulation_cli.build_parser,
    infrastructure_cli.build_parser,
    parser,
    workspace_cli.build_parser,
)


def find_commands() -> Iterator[argparse.ArgumentParser]:
    for build in BUILD:
        (commands,) = (action for action in build()._actions if isinstance(action, argparse._SubParsersAction))
        yield from commands.choices.values()


def test_every_command_has_a_description() -> None:
    commands = list(find_commands())
    assert len(commands) > 2 * len(BUILD)
    assert [command.prog for command in commands if not command.description] == []


def test_an_unknown_argument_names_the_help_of_its_command() -> None:
    given = ["stack", "up", "--no-such-option"]
    with pytest.raises(SettingsError) as told:
        command_options.build_parser().parse_args(given)
    assert str(told.value) == "arguments must be known ones, got --no-such-option (see python -m local stack --help)"
