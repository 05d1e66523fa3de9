"""Makes the landing reachable, in the ways a Databricks workspace may offer; names alternatives where one is refused.

Mounts need classic compute with dedicated access. Volumes and external locations work everywhere.
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pinterest_transforms.error_format import message_of, redact, shorten
from pinterest_transforms.errors import MountError, SettingsError
from pinterest_transforms.settings import Settings

if TYPE_CHECKING:
    from databricks.sdk.runtime.dbutils_stub import dbutils as Dbutils

ACCESS = ("managed_volume", "volume", "external_location", "mount_keys", "mount_instance_profile")
"""The bundle's variable ``landing_access`` has the same values."""

_INSTEAD = (
    "mounts need classic compute with dedicated access; on standard or serverless compute use access=volume "
    "or access=external_location"
)
_HINTS = {
    "managed_volume": "the bundle makes the volume (landing_access=managed_volume), you must have READ VOLUME on it; "
    "or use access=volume or access=external_location",
    "volume": "a volume must exist and you must have READ VOLUME on it; or use access=external_location with s3://…",
    "external_location": "an external location must cover the bucket and you must have READ FILES on it; "
    "or use access=volume",
    "mount_keys": f"the keys must be in the secret scope as access_key and secret_key; {_INSTEAD}",
    "mount_instance_profile": f"the cluster must have an instance profile that may read the bucket; {_INSTEAD}",
}
_MOUNT_NAME = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


def resolve_landing_path(
    dbutils: "type[Dbutils]", settings: Settings, access: str, *, mount_name: str = "", scope: str = ""
) -> str:
    """Makes the landing reachable. Harmless to repeat.

    Args:
        dbutils: the notebook's.
        settings: names and places; ``landing`` may name the folder, else it is made from the other names.
        access: one of ``ACCESS``.
        mount_name: name below ``/mnt``; empty for the bucket's name.
        scope: secret scope that holds ``access_key`` and ``secret_key``, for ``mount_keys``.

    Returns:
        The landing's path: the folder that holds ``topics/``.

    Raises:
        MountError: the platform refused, or the mount's name belongs to another bucket.
        SettingsError: an argument is not usable.
    """
    if access not in ACCESS:
        raise SettingsError(f"access must be one of {', '.join(ACCESS)}, got {access!r}")
    try:
        if access in ("managed_volume", "volume"):
            landing = settings.landing or f"/Volumes/{settings.catalog}/{settings.schema}/landing"
        elif access == "external_location":
            landing = settings.landing or f"s3://{settings.bucket}"
        else:
            landing = _mount(dbutils, settings, access, mount_name or settings.bucket, scope)
        dbutils.fs.ls(landing)
    except (MountError, SettingsError):
        raise
    except Exception as error:
        raise MountError(_describe_refusal(error, access)) from None
    return landing


def _mount(dbutils: "type[Dbutils]", settings: Settings, access: str, name: str, scope: str) -> str:
    if not _MOUNT_NAME.match(name):
        raise SettingsError(f"mount_name must be 1 to 64 letters, digits, _ or -, got {name!r}")
    source = settings.landing or f"s3a://{settings.bucket}"
    point = f"/mnt/{name}"
    for mount in dbutils.fs.mounts():
        if mount.mountPoint == point:
            if mount.source.rstrip("/") != source.rstrip("/"):
                raise MountError(
                    f"mount {point} must be onto {source}, got one onto {mount.source}: choose another mount_name"
                )
            return point
    keys = _keys(dbutils, scope) if access == "mount_keys" else {}
    try:
        dbutils.fs.mount(source, point, extra_configs=keys)
    except Exception as error:
        raise MountError(_describe_refusal(error, access, keys.values())) from None
    return point


def _keys(dbutils: "type[Dbutils]", scope: str) -> dict[str, str]:
    if not scope:
        raise SettingsError("scope must name the secret scope of the keys for access=mount_keys, got ''")
    # Given apart from the address: an address with keys in it would be listed to everybody by mounts().
    return {
        "fs.s3a.access.key": dbutils.secrets.get(scope, "access_key"),
        "fs.s3a.secret.key": dbutils.secrets.get(scope, "secret_key"),
    }


def _describe_refusal(error: Exception, access: str, secrets: Iterable[str] = ()) -> str:
    reason = shorten(redact(message_of(error), secrets))
    return f"access={access} was refused: {reason}. What it needs: {_HINTS[access]}"
