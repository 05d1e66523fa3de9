"""Steps of the set-up: each says in one line what it did, or would do, and does nothing twice."""

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from workspace.errors import REFUSALS, WorkspaceError, explained
from workspace.screen import Screen

Made = TypeVar("Made")


class Steps:
    """Does steps and counts them.

    Attributes:
        screen: where each step's line goes.
        dry_run: whether steps are only told.
        waiting: steps that could not be done yet.
    """

    def __init__(self, screen: Screen, *, dry_run: bool = False) -> None:
        self.screen = screen
        self.dry_run = dry_run
        self._counts: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """How many steps could not be done yet."""
        return self._counts["waiting"]

    def there(self, what: str) -> None:
        """It is as it should be."""
        self._tell(what, "there already", "there already")

    def gone(self, what: str) -> None:
        """It is not there, as it should be."""
        self._tell(what, "gone already", "gone already")

    def wait(self, what: str, why: str) -> None:
        """It cannot be done before something else."""
        self._tell(what, f"waits, {why}", "waiting")

    def make(self, what: str, action: Callable[[], Made]) -> Made | None:
        """Makes what is not there; what the action returns, or None in a dry run."""
        return self._do(what, "made", "", action)

    def change(self, what: str, how: str, action: Callable[[], Made]) -> Made | None:
        """Changes what is there; what the action returns, or None in a dry run."""
        return self._do(what, "changed", f", {how}" if how else "", action)

    def drop(self, what: str, action: Callable[[], Made]) -> Made | None:
        """Removes what is there; what the action returns, or None in a dry run."""
        return self._do(what, "dropped", "", action)

    def summary(self) -> str:
        """The counts in one line."""
        said = ", ".join(f"{count} {word}" for word, count in self._counts.items()) or "nothing to do"
        return f"{said}; nothing was changed, this was a dry run" if self.dry_run else said

    def _do(self, what: str, done: str, how: str, action: Callable[[], Made]) -> Made | None:
        if self.dry_run:
            self._tell(what, f"would be {done}{how}", f"would be {done}")
            return None
        with named(what):
            result = action()
        self._tell(what, f"{done}{how}", done)
        return result

    def _tell(self, what: str, line: str, word: str) -> None:
        self._counts[word] += 1
        self.screen.say(f"{what}: {line}")


class named:  # noqa: N801 - reads as a word: with named("secret scope x"):
    """While it lasts, what the workspace refuses becomes an error that begins with the step's name."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Names the step in a refusal."""
        if isinstance(error, REFUSALS):
            # `from None`: a cause may quote the request, and with it a secret.
            raise WorkspaceError(f"{self._what}: {explained(error)}") from None
