"""Steps of the set-up: each prints one line with its result, or in a dry run with what it would do."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from workspace.redacted_output import RedactedOutput
from workspace.workspace_errors import SDK_ERRORS, WorkspaceError, describe_error

Result = TypeVar("Result")


class StepReporter:
    """Runs steps, prints their results and counts them.

    Attributes:
        output: where the lines are written.
        dry_run: print what would be done, and do nothing.
    """

    def __init__(self, output: RedactedOutput, *, dry_run: bool = False) -> None:
        self.output = output
        self.dry_run = dry_run
        self._counts: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Number of steps that could not be done yet."""
        return self._counts["waiting"]

    def report_existing(self, name: str) -> None:
        """Reports that the object exists as requested."""
        self._report(name, "exists")

    def report_absent(self, name: str) -> None:
        """Reports that the object does not exist, as requested."""
        self._report(name, "does not exist")

    def report_waiting(self, name: str) -> None:
        """Reports that the step depends on something that does not exist yet."""
        self._report(name, "waiting", ", it does not exist yet")

    def create(self, name: str, action: Callable[[], Result]) -> Result | None:
        """Creates an object; returns the action's result, or None in a dry run."""
        return self._run(name, "created", "", action)

    def update(self, name: str, change: str, action: Callable[[], Result]) -> Result | None:
        """Updates an object; returns the action's result, or None in a dry run."""
        return self._run(name, "updated", f", {change}", action)

    def drop(self, name: str, action: Callable[[], Result]) -> Result | None:
        """Drops an object; returns the action's result, or None in a dry run."""
        return self._run(name, "dropped", "", action)

    def format_summary(self) -> str:
        """The counts in one line."""
        counts = ", ".join(f"{word}: {count}" for word, count in self._counts.items()) or "nothing to do"
        return f"{counts}; nothing was changed, this was a dry run" if self.dry_run else counts

    def _run(self, name: str, verb: str, change: str, action: Callable[[], Result]) -> Result | None:
        if self.dry_run:
            self._report(name, f"would be {verb}", change)
            return None
        with convert_errors(name):
            result = action()
        self._report(name, verb, change)
        return result

    def _report(self, name: str, word: str, more: str = "") -> None:
        self._counts[word] += 1
        self.output.write(f"{name}: {word}{more}")


@contextmanager
def convert_errors(step: str) -> Iterator[None]:
    """Converts errors of the SDK into a ``WorkspaceError`` with the step's name."""
    try:
        yield
    except SDK_ERRORS as error:
        # `from None`: a cause may quote the request, and with it a secret.
        raise WorkspaceError(f"{step}: {describe_error(error)}") from None
