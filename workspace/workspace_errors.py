"""Errors of the workspace, each in one line."""

from databricks.sdk.errors.base import DatabricksError
from databricks.sdk.errors.platform import NotFound, PermissionDenied, Unauthenticated

from pinterest_transforms.error_format import shorten
from pinterest_transforms.errors import PinterestError


class WorkspaceError(PinterestError):
    """The workspace reports an error, cannot be reached, or lacks a requirement."""


# Errors of SDK calls: its own, its timeout, and those of the connection.
SDK_ERRORS = (DatabricksError, OSError)


def describe_error(error: BaseException) -> str:
    """An error of the SDK in one line, with a remedy where there is one."""
    # The SDK appends its whole configuration.
    text = shorten(str(error).partition(". Config: ")[0]) or type(error).__name__
    if isinstance(error, Unauthenticated):
        return f"not authenticated: {text} (databricks auth login, or another --profile)"
    if isinstance(error, PermissionDenied):
        return f"permission denied: {text}"
    if isinstance(error, NotFound):
        return f"not found: {text}"
    if isinstance(error, TimeoutError):
        cause = f" (last error: {shorten(error.__cause__)})" if error.__cause__ else ""
        return f"the workspace did not answer in time: {text}{cause}"
    if isinstance(error, DatabricksError):
        return f"the workspace reports an error: {text}"
    return f"the connection failed: {text}"
