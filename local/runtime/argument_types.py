"""Types of command-line arguments: each parses and validates one text; argparse prints the error."""

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pinterest_transforms.errors import SettingsError
from pinterest_transforms.settings import parse_float, parse_int

MAX_NUMBER = 999_999_999
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
Number = TypeVar("Number", int, float)


def parse_path(text: str) -> Path:
    """A path that both Python and Java can name; an empty one would be the folder that happens to be the current one.

    Raises:
        argparse.ArgumentTypeError: if it is empty, or has control characters or bytes that are not UTF-8.
    """
    if not text:
        raise argparse.ArgumentTypeError("must be a path, got ''")
    try:
        named = not _CONTROL.search(os.fsencode(text).decode("utf-8"))
    except UnicodeDecodeError:
        named = False
    if not named:
        raise argparse.ArgumentTypeError(f"must be a path in UTF-8 without control characters, got {text!a}")
    return Path(text)


def float_between(minimum: int, maximum: int) -> Callable[[str], float]:
    """The type of a number between bounds, both included."""
    return lambda text: _checked(parse_float, text, minimum, maximum)


def int_between(minimum: int, maximum: int) -> Callable[[str], int]:
    """The type of a whole number between bounds, both included."""
    return lambda text: _checked(parse_int, text, minimum, maximum)


def _checked(read: Callable[..., Number], text: str, minimum: int, maximum: int) -> Number:
    try:
        return read(text, "value", minimum=minimum, maximum=maximum)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
