"""Connects to a workspace with the SDK's unified authentication: profile, environment, or the machine's identity."""

import logging

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError

from pinterest_transforms.error_format import shorten
from workspace.redacted_output import RedactedOutput
from workspace.workspace_errors import SDK_ERRORS, WorkspaceError, describe_error

# An unreachable host is reported within seconds; later calls are retried longer, since a workspace may throttle.
_FIRST_RETRY_SECONDS, _FIRST_HTTP_SECONDS = 3, 10
_RETRY_SECONDS, _HTTP_SECONDS = 120, 60

_REMEDY = (
    "run `databricks auth login`, name a profile of ~/.databrickscfg with --profile, or set DATABRICKS_HOST and "
    "DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)"
)


def connect(output: RedactedOutput, profile: str | None) -> WorkspaceClient:
    """A client of the workspace of the profile or environment, after a successful first call.

    Raises:
        WorkspaceError: authentication is not configured or not accepted, or the host cannot be reached.
    """
    # At DEBUG the SDK logs requests and responses, and with them rows of the credentials table; its warnings are about
    # authentication methods that it tries.
    logging.getLogger("databricks.sdk").setLevel(logging.ERROR)
    try:
        config = Config(
            profile=profile,
            retry_timeout_seconds=_FIRST_RETRY_SECONDS,
            http_timeout_seconds=_FIRST_HTTP_SECONDS,
            # The error of an unparseable response would contain the token.
            debug_headers=False,
            product="pinterest-pipeline",
            product_version="0.1.0",
        )
    except ValueError as error:
        reason = shorten(str(error).partition(". Config: ")[0])
        raise WorkspaceError(f"authentication must be configured, got {reason}: {_REMEDY}") from None
    output.hide(config.token, config.client_secret, config.password)
    try:
        caller = WorkspaceClient(config=config).current_user.me().user_name
    except (*SDK_ERRORS, ValueError) as error:
        if not (isinstance(error, TimeoutError) and isinstance(error.__cause__, DatabricksError)):
            raise WorkspaceError(f"host {config.host}: {describe_error(error)}") from None
        caller = "an unknown user"  # throttled: the workspace exists, and later calls are retried longer
    output.log(f"workspace {config.host}, as {shorten(caller)}")
    config.retry_timeout_seconds, config.http_timeout_seconds = _RETRY_SECONDS, _HTTP_SECONDS
    return WorkspaceClient(config=config)
