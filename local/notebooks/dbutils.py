"""``dbutils`` on one machine: what the notebooks use of it."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

from pinterest_transforms.error_format import redact
from pinterest_transforms.errors import PinterestError

_SECRET = "PINTEREST_SECRET_"  # noqa: S105 - where secrets are looked for, not one


class DbutilsError(PinterestError):
    """A value of ``dbutils`` does not exist, or an argument is not valid."""


class NotebookExit(BaseException):
    """The notebook ended itself, with a value. No error: no ``except Exception`` of a notebook may stop it."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True)
class FileInfo:
    """A file or folder; a folder's path and name end in a slash."""

    path: str
    name: str


class Filesystem:
    """Folders of this machine, by paths ``/…`` and ``file:/…``."""

    def ls(self, path: str) -> list[FileInfo]:
        """Lists a folder, or one file."""
        if "://" in path or not path.startswith(("/", "file:/")):
            raise DbutilsError(f"path must be absolute and of this machine, got {path!r}")
        place = Path("/", path.removeprefix("file:").lstrip("/"))
        if not place.exists():
            raise DbutilsError(f"FileNotFoundException: No such file or directory: {path}")
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        ends = {file: "/" if file.is_dir() else "" for file in files}
        return [FileInfo(f"file:{file}{end}", f"{file.name}{end}") for file, end in ends.items()]


class Secrets:
    """Secrets from the environment, ``PINTEREST_SECRET_<SCOPE>_<KEY>``; none that was read is ever shown."""

    def __init__(self) -> None:
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


@dataclass
class DbutilsState:
    """State that the notebooks of one process share."""

    filesystem: Filesystem = field(default_factory=Filesystem)
    secrets: Secrets = field(default_factory=Secrets)


def exit_notebook(value: object) -> NoReturn:
    """Ends the notebook that calls it, with a value."""
    raise NotebookExit(str(value))


class Widgets:
    """Parameters of a notebook: the job's value wins over the widget's default."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
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
            raise DbutilsError(f"widget must be one of {', '.join(sorted(self._values)) or '(none)'}, got {name!r}")
        return self._values[name]

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the platform's name
        """Values of all widgets by name."""
        return dict(self._values)


def make_dbutils(state: DbutilsState, parameters: Mapping[str, str]) -> SimpleNamespace:
    """The ``dbutils`` of one notebook."""
    notebook = SimpleNamespace(exit=exit_notebook)
    return SimpleNamespace(widgets=Widgets(parameters), fs=state.filesystem, secrets=state.secrets, notebook=notebook)
