"""``dbutils`` on one machine: what the notebooks use of it."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from pinterest_transforms.error_format import redact
from pinterest_transforms.errors import PinterestError

_SECRET = "PINTEREST_SECRET_"  # noqa: S105 - where secrets are looked for, not one


class DbutilsError(PinterestError):
    """A value of ``dbutils`` does not exist, or an argument is not valid."""


class MissingError(DbutilsError, AttributeError):
    """A part of ``dbutils`` that one machine does not have."""


class NotebookExit(BaseException):
    """The notebook ended itself, with a value. No error: no ``except Exception`` of a notebook may stop it."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class DbutilsModule:
    """Base of ``dbutils`` and its modules."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        """Raises an error that lists the attributes there are; called only for unknown ones."""
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        has = sorted(name for name in {*dir(type(self)), *vars(self)} if not name.startswith("_"))
        raise MissingError(f"{self._name} has no {attribute!r} on one machine: it has {', '.join(has)}")


@dataclass(frozen=True)
class FileInfo:
    """A file or folder; a folder's path and name end in a slash."""

    path: str
    name: str


@dataclass(frozen=True)
class MountInfo:
    """One mount."""

    mountPoint: str  # noqa: N815 - the platform's name
    source: str


class Filesystem(DbutilsModule):
    """Files, and mounts of ``file:`` folders. Paths: ``/…``, ``file:/…``, ``dbfs:/mnt/…`` below a mount."""

    def __init__(self) -> None:
        super().__init__("dbutils.fs")
        self._mounts: dict[str, str] = {}

    def ls(self, path: str) -> list[FileInfo]:
        """Lists a folder, or one file."""
        place = self._resolve(path)
        if not place.exists():
            raise DbutilsError(f"FileNotFoundException: No such file or directory: {path}")
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        ends = {file: "/" if file.is_dir() else "" for file in files}
        return [FileInfo(f"file:{file}{end}", f"{file.name}{end}") for file, end in ends.items()]

    def mounts(self) -> list[MountInfo]:
        """Every mount."""
        return [MountInfo(point, source) for point, source in sorted(self._mounts.items())]

    def mount(
        self,
        source: str,
        mount_point: str,
        *,
        extra_configs: Mapping[str, str] | None = None,  # noqa: ARG002 - the platform's name
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

    def _resolve(self, path: str) -> Path:
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


class Secrets(DbutilsModule):
    """Secrets from the environment, ``PINTEREST_SECRET_<SCOPE>_<KEY>``; none that was read is ever shown."""

    def __init__(self) -> None:
        super().__init__("dbutils.secrets")
        self._read: set[str] = set()

    def get(self, scope: str, key: str) -> str:
        """Value of a secret."""
        name = _SECRET + re.sub(r"[^A-Z0-9]", "_", f"{scope}_{key}".upper())
        if name not in os.environ:
            raise DbutilsError(f"secret {key!r} of scope {scope!r} must be set in the environment as {name}")
        value = os.environ[name]
        self._read.add(value)
        return value

    def redact(self, text: str) -> str:
        """The text without the values that were read."""
        return redact(text, self._read)


class DbutilsState:
    """State that the notebooks of one process share: mounts and secrets."""

    def __init__(self) -> None:
        self.filesystem = Filesystem()
        self.secrets = Secrets()


class NotebookModule(DbutilsModule):
    """Ends this notebook."""

    def exit(self, value: object) -> None:
        """Ends this notebook with a value."""
        raise NotebookExit(str(value))


class Widgets(DbutilsModule):
    """Parameters of a notebook: the job's value wins over the widget's default."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__("dbutils.widgets")
        self._parameters = dict(parameters)
        self._values: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803, ARG002
        """Declares a widget for any text."""
        self._values.setdefault(name, str(self._parameters.get(name, defaultValue)))

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],
        label: str | None = None,
    ) -> None:
        """Declares a widget for one of the choices."""
        self.text(name, defaultValue, label)
        if self._values[name] not in choices:
            raise DbutilsError(f"widget {name} must be one of {', '.join(choices)}, got {self._values[name]!r}")

    def get(self, name: str) -> str:
        """Value of a widget."""
        if name not in self._values:
            raise DbutilsError(f"widget must be one of {_listed(self._values)}, got {name!r}")
        return self._values[name]

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the platform's name
        """Values of all widgets by name."""
        return dict(self._values)

    @property
    def any_declared(self) -> bool:
        """Whether any widget was declared until now."""
        return bool(self._values)

    def check_parameters(self) -> None:
        """Checks that a widget was declared for every parameter.

        Raises:
            DbutilsError: if for one there was none.
        """
        if unknown := self._parameters.keys() - self._values.keys():
            raise DbutilsError(f"parameter must be one of the widgets {_listed(self._values)}, got {_listed(unknown)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "(none)"


class Dbutils(DbutilsModule):
    """The ``dbutils`` of one notebook."""

    def __init__(self, state: DbutilsState, parameters: Mapping[str, str]) -> None:
        super().__init__("dbutils")
        self.widgets = Widgets(parameters)
        self.fs = state.filesystem
        self.secrets = state.secrets
        self.notebook = NotebookModule("dbutils.notebook")
