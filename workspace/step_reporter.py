"""Steps of the set-up: each prints one line with its result, or in a dry run with what it would do."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from workspace.redacted_output import RedactedOutput
from workspace.workspace_errors import SDK_ERRORS, WorkspaceError, describe_error

Result = TypeVar("Result")
EXISTS, ABSENT, WAITING = "exists", "does not exist", "waiting, it does not exist yet"


class StepReporter:
    """Runs steps, prints their results and counts them by the words before a comma.

    Attributes:
        output: where the lines are written.
        dry_run: print what would be done, and do nothing.
    """

    def __init__(self, output: RedactedOutput, *, dry_run: bool = False) -> None:
        self.output = output
        self.dry_run = dry_run
        self._counts: Counter[str] = Counter()

    @property
    def is_waiting(self) -> bool:
        """Whether a step could not be done yet."""
        return "waiting" in self._counts

    def report(self, name: str, result: str) -> None:
        """Reports a step with nothing to do: ``EXISTS``, ``ABSENT`` or ``WAITING``."""
        self._counts[result.partition(",")[0]] += 1
        self.output.write(f"{name}: {result}")

    def run(self, name: str, result: str, action: Callable[[], Result]) -> Result | None:
        """Runs a step; returns the action's result, or None in a dry run.

        Args:
            name: the object, or the statement.
            result: what becomes of it: ``created``, ``dropped``, or ``updated`` with the change after a comma.
            action: does it.
        """
        if self.dry_run:
            self.report(name, f"would be {result}")
            return None
        with convert_errors(name):
            found = action()
        self.report(name, result)
        return found

    def format_summary(self) -> str:
        """The counts in one line."""
        counts = ", ".join(f"{word}: {count}" for word, count in self._counts.items()) or "nothing to do"
        return f"{counts}; nothing was changed, this was a dry run" if self.dry_run else counts


@contextmanager
def convert_errors(step: str) -> Iterator[None]:
    """Converts errors of the SDK into a ``WorkspaceError`` with the step's name."""
    try:
        yield
    except SDK_ERRORS as error:
        # `from None`: a cause may quote the request, and with it a secret.
        raise WorkspaceError(f"{step}: {describe_error(error)}") from None
