"""The four ways to the landing, on a platform that allows or refuses them."""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest

from pinterest_transforms.errors import MountError, SettingsError
from pinterest_transforms.operations.landing_access import ACCESS, resolve_landing_path
from pinterest_transforms.settings import Settings

CANARY = "CANARYc7"


class Platform:
    """A workspace's ``dbutils`` that remembers mounts, and refuses with a given error."""

    def __init__(self, refuses: str = "") -> None:
        self.refuses = refuses
        self.mounted: dict[str, str] = {}
        self.configs: Mapping[str, str] = {}
        self.fs = self
        self.secrets = SimpleNamespace(get=lambda scope, key: f"{CANARY}-{scope}-{key}")

    def ls(self, path: str) -> list[str]:
        if self.refuses and not path.startswith("/mnt"):
            raise RuntimeError(self.refuses)
        return [path]

    def mounts(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(mountPoint=point, source=source) for point, source in self.mounted.items()]

    def mount(self, source: str, mount_point: str, *, extra_configs: Mapping[str, str]) -> bool:
        if self.refuses:
            raise RuntimeError(f"{self.refuses} {dict(extra_configs)}")
        self.mounted[mount_point] = source
        self.configs = extra_configs
        return True


SETTINGS = Settings(user_id="abc123", catalog="main")


@pytest.mark.parametrize(
    ("access", "landing"),
    [
        ("managed_volume", "/Volumes/main/pinterest/landing"),
        ("volume", "/Volumes/main/pinterest/landing"),
        ("external_location", "s3://user-abc123-bucket"),
        ("mount_keys", "/mnt/user-abc123-bucket"),
        ("mount_instance_profile", "/mnt/user-abc123-bucket"),
    ],
)
def test_each_way_returns_the_landing(access: str, landing: str) -> None:
    assert access in ACCESS
    assert resolve_landing_path(Platform(), SETTINGS, access, scope="aws") == landing


def test_a_given_landing_wins_over_the_names() -> None:
    settings = Settings(landing="/Volumes/a/b/c")
    assert resolve_landing_path(Platform(), settings, "volume") == "/Volumes/a/b/c"


def test_mounting_again_is_harmless() -> None:
    platform = Platform()
    first = resolve_landing_path(platform, SETTINGS, "mount_instance_profile")
    platform.refuses = "Directory already mounted"
    assert resolve_landing_path(platform, SETTINGS, "mount_instance_profile") == first


def test_a_mount_of_the_same_name_onto_another_bucket_is_a_clear_error() -> None:
    platform = Platform()
    platform.mounted["/mnt/posts"] = "s3a://other"
    with pytest.raises(MountError) as caught:
        resolve_landing_path(platform, SETTINGS, "mount_keys", mount_name="posts", scope="aws")
    assert str(caught.value) == (
        "mount /mnt/posts must be onto s3a://user-abc123-bucket, got one onto s3a://other: choose another mount_name"
    )


def test_keys_are_given_apart_from_the_address() -> None:
    platform = Platform()
    resolve_landing_path(platform, SETTINGS, "mount_keys", scope="aws")
    assert CANARY not in str(platform.mounted)
    assert platform.configs == {
        "fs.s3a.access.key": f"{CANARY}-aws-access_key",
        "fs.s3a.secret.key": f"{CANARY}-aws-secret_key",
    }


@pytest.mark.parametrize("access", ACCESS)
def test_a_refusal_says_the_way_that_works(access: str) -> None:
    refusal = (
        "An error occurred while calling o1.ls.\n: java.lang.RuntimeException: wrapped\n\tat a.b(C.scala:1)\n"
        "Caused by: java.lang.SecurityException: DBFS mounts are disabled\n\tat a.b(C.scala:2)"
    )
    with pytest.raises(MountError) as caught:
        resolve_landing_path(Platform(refuses=refusal), SETTINGS, access, scope="aws")
    message = str(caught.value)
    assert message.startswith(f"access={access} was refused: SecurityException: DBFS mounts are disabled.")
    assert "use access=" in message
    assert "\n" not in message
    assert CANARY not in message


def test_a_missing_secret_is_a_refusal_too() -> None:
    platform = Platform()

    def missing(scope: str, key: str) -> str:
        raise RuntimeError(f"Secret does not exist with scope: {scope} and key: {key}")

    platform.secrets = SimpleNamespace(get=missing)
    with pytest.raises(MountError, match="Secret does not exist with scope: aws and key: access_key"):
        resolve_landing_path(platform, SETTINGS, "mount_keys", scope="aws")


@pytest.mark.parametrize(
    ("access", "mount_name", "scope", "message"),
    [
        ("disk", "", "", f"access must be one of {', '.join(ACCESS)}, got 'disk'"),
        ("mount_keys", "a/b", "s", "mount_name must be 1 to 64 letters, digits, _ or -, got 'a/b'"),
        ("mount_keys", "", "", "scope must name the secret scope of the keys for access=mount_keys, got ''"),
    ],
)
def test_a_wrong_argument_is_one_clear_line(access: str, mount_name: str, scope: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve_landing_path(Platform(), SETTINGS, access, mount_name=mount_name, scope=scope)
    assert str(caught.value) == message
