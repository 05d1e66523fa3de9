"""Output of the commands: results on standard output, progress and errors on standard error, secrets redacted."""

import sys

from pinterest_transforms.error_format import redact

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
        print(redact(line, self._secrets), flush=True)

    def log(self, line: str) -> None:
        """Writes a line of progress, or an error."""
        print(redact(line, self._secrets), file=sys.stderr, flush=True)
