"""Any error as one line for a person; the traceback is there on request."""

import re
import unicodedata

from pinterest_transforms.errors import PinterestError

_RAISED_IN_PYTHON = re.compile(r"^[ \t]*(?:\w+\.)*(\w*(?:Error|Exception|Interrupt))(?:: (.*))?$", re.MULTILINE)
_JAVA_CAUSE = re.compile(r"^(?:Caused by)?: (?:[\w$]+\.)*([\w$]+): (\S.*)$", re.MULTILINE)
_TRACEBACK = "Traceback (most recent call last)"
# Characters that would let data move the cursor or turn the reading direction of a terminal.
_DIRECTION = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def clean_text(text: str) -> str:
    """The text on one line: white space that breaks lines becomes a space, control characters go."""
    if text.isascii() and text.isprintable():
        return text
    spaced = re.sub(r"\r\n|[\t\n\v\f\r\x85\u2028\u2029]", " ", text).translate(_DIRECTION)
    return "".join(char for char in spaced if unicodedata.category(char) not in ("Cc", "Cs"))


def one_line(error: BaseException) -> str:
    """What went wrong, in one line: a message of this project as it is, any other with the name of its kind."""
    # Where in the file it is, whoever shows this line says.
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    if isinstance(error, PinterestError):
        return clean_text(text)
    if _TRACEBACK in text and (raised := list(_RAISED_IN_PYTHON.finditer(text))):
        # A function given to Spark failed: what it raised says more than what Spark wraps around it.
        name, message = raised[-1].groups()
        return clean_text(f"{name}: {message}" if message else name)
    if text.startswith("An error occurred while calling") and (causes := _JAVA_CAUSE.findall(text)):
        # An exception of Java, as the connection to it wraps it: the innermost cause is the one that tells.
        return clean_text(": ".join(causes[-1]))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    name = type(error).__name__
    return clean_text(f"{name}: {lines[0].removesuffix(';')}" if lines else name)
