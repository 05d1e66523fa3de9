"""``dbutils.fs`` on one machine: folders of the machine, and mounts that last as long as the process."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from local.notebooks.dbutils_module import DbutilsError, DbutilsModule


@dataclass(frozen=True)
class FileInfo:
    """A file or folder; a folder's path and name end in a slash. Size in bytes, time in milliseconds."""

    path: str
    name: str
    size: int
    modificationTime: int  # noqa: N815 - the platform's name

    def isDir(self) -> bool:  # noqa: N802 - the platform's name
        """Whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802 - the platform's name
        """Whether it is a file."""
        return not self.isDir()


@dataclass(frozen=True)
class MountInfo:
    """One mount."""

    mountPoint: str  # noqa: N815 - the platform's name
    source: str
    encryptionType: str = ""  # noqa: N815 - the platform's name


class Filesystem(DbutilsModule):
    """Files, and mounts of ``file:`` folders. Paths: ``/…``, ``file:/…``, ``dbfs:/mnt/…`` below a mount."""

    def __init__(self) -> None:
        super().__init__("dbutils.fs")
        self._mounts: dict[str, str] = {}

    def ls(self, path: str) -> list[FileInfo]:
        """What is in a folder, or the one file."""
        place = self._existing(path)
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        return [_info(file) for file in files]

    def head(self, file: str, max_bytes: int = 65536) -> str:
        """Start of a file as text."""
        place = self._existing(file)
        if place.is_dir():
            raise DbutilsError(f"path must be a file, got the folder {file}")
        with place.open("rb") as opened:
            return opened.read(max_bytes).decode("utf-8", "replace")

    def mkdirs(self, path: str) -> bool:
        """Makes a folder and those above it."""
        self._place(path).mkdir(parents=True, exist_ok=True)
        return True

    def mounts(self) -> list[MountInfo]:
        """Every mount."""
        return [MountInfo(point, source) for point, source in sorted(self._mounts.items())]

    def refreshMounts(self) -> bool:  # noqa: N802 - the platform's name
        """Nothing to do: there is one machine."""
        return True

    def mount(
        self,
        source: str,
        mount_point: str,
        encryption_type: str = "",  # noqa: ARG002 - the platform's signature
        owner: str | None = None,  # noqa: ARG002
        extra_configs: dict[str, str] | None = None,  # noqa: ARG002
    ) -> bool:
        """Makes a folder of this machine reachable below a mount point, until the process ends."""
        if not source.startswith("file:"):
            scheme = urlsplit(source).scheme or "a path without a scheme"
            raise DbutilsError(
                f"UnsupportedOperationException: mounts of {scheme} need a Databricks workspace with DBFS; "
                "on one machine a mount's source must be a file: folder"
            )
        point = mount_point.rstrip("/")
        if not point.startswith("/mnt/"):
            raise DbutilsError(f"mount point must start with /mnt/, got {mount_point!r}")
        if point in self._mounts:
            raise DbutilsError(f"Directory already mounted: {point}")
        if not _local(source).is_dir():
            raise DbutilsError(f"a mount's source must be an existing folder, got {source}")
        self._mounts[point] = source
        return True

    def unmount(self, mount_point: str) -> bool:
        """Takes a mount away."""
        if self._mounts.pop(mount_point.rstrip("/"), None) is None:
            raise DbutilsError(f"Directory not mounted: {mount_point}")
        return True

    def _existing(self, path: str) -> Path:
        place = self._place(path)
        if not place.exists():
            raise DbutilsError(f"FileNotFoundException: No such file or directory: {path}")
        return place

    def _place(self, path: str) -> Path:
        """Where a path lies on this machine."""
        plain = path.removeprefix("dbfs:")
        for point, source in self._mounts.items():
            if plain == point or plain.startswith(f"{point}/"):
                return _local(source) / plain.removeprefix(point).lstrip("/")
        if path.startswith(("dbfs:", "/mnt/")):
            raise DbutilsError(f"FileNotFoundException: {path} is below no mount")
        return _local(path)


def _local(path: str) -> Path:
    if path.startswith("file:"):
        return Path("/", path.removeprefix("file:").lstrip("/"))
    if "://" in path or not path.startswith("/"):
        raise DbutilsError(f"path must be absolute and of this machine, got {path!r}")
    return Path(path)


def _info(file: Path) -> FileInfo:
    end = "/" if file.is_dir() else ""
    facts = file.stat()
    size = 0 if end else facts.st_size
    return FileInfo(f"file:{file}{end}", f"{file.name}{end}", size, int(facts.st_mtime * 1000))
