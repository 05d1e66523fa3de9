"""The connection to a workspace, by the SDK's unified authentication: profile, environment, the machine's own way."""

import logging

from databricks.sdk import WorkspaceClient
from databricks.sdk.config import Config
from databricks.sdk.errors.base import DatabricksError

from workspace.errors import WorkspaceError, explained, one_line
from workspace.screen import Screen

# A host that is not there must be told within seconds; a workspace that is throttled may be waited for.
_FIRST_TRY_S = 3
_FIRST_HTTP_S = 10
_RETRY_S = 120
_HTTP_S = 60

_HOW = (
    "run `databricks auth login`, name a profile of ~/.databrickscfg with --profile, or set DATABRICKS_HOST and "
    "DATABRICKS_TOKEN (or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET)"
)


def connect(screen: Screen, profile: str = "") -> WorkspaceClient:
    """A client of the workspace that the profile or the environment names, after a first call that it answered.

    Raises:
        WorkspaceError: no authentication is configured, the host cannot be reached, or it does not know the caller.
    """
    # At level DEBUG the SDK logs what it sends and gets, and rows of the credentials table would be among it; its
    # warnings are about ways it has tried before it found one.
    logging.getLogger("databricks.sdk").setLevel(logging.ERROR)
    config = _config(profile)
    screen.hide(config.token, config.client_secret, config.password)
    try:
        caller = WorkspaceClient(config=config).current_user.me().user_name
    except TimeoutError as error:
        if isinstance(error.__cause__, DatabricksError):
            caller = "somebody it has not named"  # throttled: it is there, and what follows waits longer
        else:
            reason = one_line(error.__cause__ or error)
            raise WorkspaceError(f"host {config.host} cannot be reached: {reason}") from None
    except (DatabricksError, OSError, ValueError) as error:
        raise WorkspaceError(f"host {config.host}: {explained(error)}") from None
    screen.note(f"workspace {config.host}, as {one_line(caller)}")
    config.retry_timeout_seconds, config.http_timeout_seconds = _RETRY_S, _HTTP_S
    return WorkspaceClient(config=config)


def _config(profile: str) -> Config:
    try:
        return Config(
            profile=profile or None,
            retry_timeout_seconds=_FIRST_TRY_S,
            http_timeout_seconds=_FIRST_HTTP_S,
            # With headers in it, an answer that cannot be parsed would show the token.
            debug_headers=False,
            product="pinterest-pipeline",
            product_version="0.1.0",
        )
    except ValueError as error:
        said = one_line(error)
        if "cannot configure default credentials" in said:
            raise WorkspaceError(f"authentication must be configured, got none: {_HOW}") from None
        if "profile configured" in said:
            raise WorkspaceError(f"profile must be one of the configuration file's, got {profile!r}: {_HOW}") from None
        raise WorkspaceError(f"authentication cannot be used: {said}") from None
