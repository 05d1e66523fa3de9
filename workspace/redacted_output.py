"""Output of the commands: results on standard output, progress and errors on standard error, secrets redacted."""

import sys

# A shorter value is no secret, and redacting it would garble every line.
_MIN_LENGTH = 8


class RedactedOutput:
    """Writes lines with secrets replaced by ``[REDACTED]``."""

    def __init__(self) -> None:
        self._secrets: set[str] = set()

    def hide(self, *values: str | None) -> None:
        """Adds secrets to redact."""
        self._secrets.update(value for value in values if value and len(value) >= _MIN_LENGTH)

    def write(self, line: str) -> None:
        """Writes a line of the result."""
        print(self.redact(line), flush=True)

    def log(self, line: str) -> None:
        """Writes a line of progress, or an error."""
        print(self.redact(line), file=sys.stderr, flush=True)

    def redact(self, text: str) -> str:
        """The text without secrets; longer ones first, since one may contain another."""
        for value in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(value, "[REDACTED]")
        return text
