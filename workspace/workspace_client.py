"""Connects to a workspace with the SDK's unified authentication: profile, environment, or the machine's identity."""

import logging

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError

from workspace.redacted_output import RedactedOutput
from workspace.workspace_errors import WorkspaceError, describe_error, shorten

# An unreachable host is reported within seconds; later calls are retried longer, since a workspace may throttle.
_FIRST_RETRY_SECONDS = 3
_FIRST_HTTP_SECONDS = 10
_RETRY_SECONDS = 120
_HTTP_SECONDS = 60

_REMEDY = (
    "run `databricks auth login`, name a profile of ~/.databrickscfg with --profile, or set DATABRICKS_HOST and "
    "DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)"
)


def connect(output: RedactedOutput, profile: str = "") -> WorkspaceClient:
    """A client of the workspace of the profile or environment, after a successful first call.

    Raises:
        WorkspaceError: authentication is not configured or not accepted, or the host cannot be reached.
    """
    # At DEBUG the SDK logs requests and responses, and with them rows of the credentials table; its warnings are about
    # authentication methods that it tries.
    logging.getLogger("databricks.sdk").setLevel(logging.ERROR)
    config = _config(profile)
    output.hide(config.token, config.client_secret, config.password)
    try:
        caller = WorkspaceClient(config=config).current_user.me().user_name
    except TimeoutError as error:
        if isinstance(error.__cause__, DatabricksError):
            caller = "an unknown user"  # throttled: the workspace exists, and later calls are retried longer
        else:
            reason = shorten(error.__cause__ or error)
            raise WorkspaceError(f"host {config.host} cannot be reached: {reason}") from None
    except (DatabricksError, OSError, ValueError) as error:
        raise WorkspaceError(f"host {config.host}: {describe_error(error)}") from None
    output.log(f"workspace {config.host}, as {shorten(caller)}")
    config.retry_timeout_seconds, config.http_timeout_seconds = _RETRY_SECONDS, _HTTP_SECONDS
    return WorkspaceClient(config=config)


def _config(profile: str) -> Config:
    try:
        return Config(
            profile=profile or None,
            retry_timeout_seconds=_FIRST_RETRY_SECONDS,
            http_timeout_seconds=_FIRST_HTTP_SECONDS,
            # The error of an unparseable response would contain the token.
            debug_headers=False,
            product="pinterest-pipeline",
            product_version="0.1.0",
        )
    except ValueError as error:
        text = shorten(error)
        if "cannot configure default credentials" in text:
            raise WorkspaceError(f"authentication must be configured, got none: {_REMEDY}") from None
        if "profile configured" in text:
            raise WorkspaceError(
                f"profile must be one of the configuration file's, got {profile!r}: {_REMEDY}"
            ) from None
        raise WorkspaceError(f"authentication cannot be used: {text}") from None
