"""What a workspace can answer instead of doing it, each in one line."""

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied, Unauthenticated

from pinterest_transforms.errors import PinterestError

LONGEST = 300


class WorkspaceError(PinterestError):
    """The workspace refused, cannot be reached, or does not have what is needed."""


# What calls of the SDK raise: its own errors, its time-out, and those of the connection.
REFUSALS = (DatabricksError, OSError)


def one_line(text: object) -> str:
    """A text in one line, without control characters, of a length that a terminal shows."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text))
    line = " ".join(shown.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def explained(error: BaseException) -> str:
    """An error of the SDK in one line, with what to do about it where that is known."""
    # The SDK adds its whole configuration to what the workspace said.
    said = one_line(str(error).partition(". Config: ")[0]) or type(error).__name__
    if isinstance(error, Unauthenticated):
        return f"the workspace did not accept who you are: {said} (databricks auth login, or another --profile)"
    if isinstance(error, PermissionDenied):
        return f"permission denied: {said}"
    if isinstance(error, NotFound):
        return f"not found: {said}"
    if isinstance(error, TimeoutError):
        why = f" (last: {one_line(error.__cause__)})" if error.__cause__ else ""
        return f"the workspace did not answer in time: {said}{why}"
    if isinstance(error, DatabricksError):
        return f"the workspace refused: {said}"
    return f"the connection failed: {said}"
