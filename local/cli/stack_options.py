"""Options of ``python -m local stack``."""

import argparse
import os
from pathlib import Path
from typing import TypeVar

from local.runtime.argument_types import MAX_NUMBER, int_between, parse_path
from pinterest_transforms.settings import DEFAULT_USER_ID

MAX_POSTS = 100_000_000
P = TypeVar("P", bound=argparse.ArgumentParser)


def add_stack_command(commands: "argparse._SubParsersAction[P]") -> P:
    """Adds the command to the command line."""
    stack = commands.add_parser("stack", help="the whole system on this machine, until Ctrl-C (make stack)")
    stack.add_argument(
        "what",
        nargs="?",
        default="up",
        choices=["up", "clean", "batch"],
        help="up: start it; clean: clean the bucket of a running stack; batch: compute the answers too (default: up)",
    )
    stack.add_argument(
        "--folder", type=parse_path, default=Path("build/stack"), metavar="DIR", help="where its state goes"
    )
    stack.add_argument("--user-id", default=os.environ.get("PINTEREST_USER_ID", DEFAULT_USER_ID), metavar="ID")
    stack.add_argument(
        "--posts",
        type=int_between(1, MAX_POSTS),
        default=11_000,
        metavar="N",
        help="posts of the source (%(default)s)",
    )
    stack.add_argument(
        "--seed",
        type=int_between(0, MAX_NUMBER),
        default=1,
        metavar="N",
        help="what they are drawn from (%(default)s)",
    )
    stack.add_argument("--warehouse", type=parse_path, metavar="DIR", help="folder of the tables (DIR/warehouse)")
    return stack
