"""Where the commands write: results on standard output, what is going on on standard error, secrets nowhere."""

import sys

# Nothing that short is a secret, and hidden it would blacken every line.
_SHORTEST = 8


class Screen:
    """Writes lines, and never a value it was told to hide."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()

    def hide(self, *values: str | None) -> None:
        """Values that no line shows from here on."""
        self._hidden.update(value for value in values if value and len(value) >= _SHORTEST)

    def say(self, line: str) -> None:
        """A line of the result."""
        print(self.clean(line), flush=True)

    def note(self, line: str) -> None:
        """A line of what is going on, or went wrong."""
        print(self.clean(line), file=sys.stderr, flush=True)

    def clean(self, text: str) -> str:
        """The text without hidden values; the longest first, since one may hold another."""
        for value in sorted(self._hidden, key=len, reverse=True):
            text = text.replace(value, "[REDACTED]")
        return text
