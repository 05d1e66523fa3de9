"""Any error as one line for a person, without secrets; the traceback is there on request."""

import argparse
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, NoReturn

from pinterest_transforms.errors import PinterestError, SettingsError

# Not the class that Spark Connect names above a trace of Java's.
_RAISED_IN_PYTHON = re.compile(
    r"(?<!JVM stacktrace:\n)^[ \t]*(?:\w+\.)*(\w*(?:Error|Exception|Interrupt))(?:: (.*))?$", re.MULTILINE
)
# A cause of an exception of Java; what is suppressed in it is indented.
_JAVA_CAUSE = re.compile(r"^(?:Caused by)?: (?:[\w$]+\.)*([\w$]+)(?:: (\S.*))?$", re.MULTILINE)
_PLACE = re.compile(r"\b(?:file|s3a?|dbfs|abfss?):/[^\s,]+")
_JAVA_TRACES = ("An error occurred while calling", "\nJVM stacktrace:")
_STREAM_STATE = "\n=== Streaming Query ==="
# Messages of Java, Spark and Python that quote the data they could not read.
_DATA = re.compile(
    r"(The value |[Ii]nput string: |Text |with base \d+: |string to float: |time data |record parsing: )"
    r"""('.*'|".*"|['"\[].*)"""
)
_TRACEBACK = "Traceback (most recent call last)"
# Characters that would let data move the cursor or turn the reading direction of a terminal.
_DIRECTION = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


class OneLineParser(argparse.ArgumentParser):
    """An argument parser of a command line, which prints the error itself."""

    def error(self, message: str) -> NoReturn:
        """Raises a SettingsError instead of printing the error below the whole usage."""
        raise SettingsError(f"{message} (see {self.prog} --help)")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - as argparse has it
        """As argparse's; an unknown argument is an error of the command that it was given to, not of the program.

        Raises:
            SettingsError: with names only, for the value of a mistaken ``--token`` must not be printed.
        """
        options, unknown = super().parse_known_args(args, namespace)
        if unknown:
            names = [word.partition("=")[0] for word in unknown if word.startswith("-")] or [f"{len(unknown)} words"]
            self.error(f"arguments must be known ones, got {', '.join(names)}")
        return options, unknown


def redact(text: str, secrets: Iterable[str]) -> str:
    """The text with ``[REDACTED]`` for each secret; longer ones first, since one may contain another."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "[REDACTED]")
    return text


def clean_text(text: str) -> str:
    """The text on one line: white space that breaks lines becomes a space, control characters go."""
    if text.isascii() and text.isprintable():
        return text
    spaced = re.sub(r"\r\n|[\t\n\v\f\r\x85\u2028\u2029]", " ", text).translate(_DIRECTION)
    return "".join(char for char in spaced if unicodedata.category(char) not in ("Cc", "Cs"))


def shorten(text: object, limit: int = 300) -> str:
    """The text on one line, without control characters, at most ``limit`` characters long; a longer one ends in …."""
    # A server may send megabytes.
    line = " ".join(clean_text(str(text)[: 4 * limit]).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def one_line(error: BaseException) -> str:
    """What went wrong, in one line: a message of this project as it is, any other with the name of its kind.

    Of an exception of Java it is the innermost cause, wherever Spark has wrapped it: in a call, a stream, or over Spark
    Connect. Data that a message quotes is left out.
    """
    try:
        # Where in the file it is, the caller adds.
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:
        # An exception of a Java that has ended.
        text = ""
    if isinstance(error, PinterestError):
        return clean_text(text)
    return clean_text(_DATA.sub(r"\1…", _describe(type(error).__name__, text.partition(_STREAM_STATE)[0])))


def message_of(error: BaseException) -> str:
    """As ``one_line``, without the name of the error's own kind: for a message with other words for it."""
    return one_line(error).removeprefix(f"{type(error).__name__}: ")


def _describe(name: str, text: str) -> str:
    message = text.partition(_TRACEBACK)[0]
    if _TRACEBACK in text and (raised := list(_RAISED_IN_PYTHON.finditer(text))):
        # A function given to Spark failed: what it raised is more telling than what Spark wraps around it.
        name, message = raised[-1][1], raised[-1][2] or ""
        text = message + text[raised[-1].end() :]
    if any(trace in text for trace in _JAVA_TRACES) and (causes := _JAVA_CAUSE.findall(text)):
        return _innermost(causes)
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return f"{name}: {lines[0].removesuffix(';')}" if lines else name


def _innermost(causes: list[tuple[str, str]]) -> str:
    """The innermost cause; with what those further out know of it: what was run, and where."""
    kind, message = causes[-1]
    outer = [text for name, text in causes if text.endswith(message) and name == kind] if message else []
    line = ": ".join(filter(None, (kind, outer[0] if outer else message)))
    if not message:
        line = ": ".join([*next((cause for cause in reversed(causes) if cause[1]), ()), line])
    place = next((found[0] for _, text in causes if (found := _PLACE.search(text))), "")
    return line if not place or _PLACE.search(line) else f"{line} ({place.rstrip('.')})"
