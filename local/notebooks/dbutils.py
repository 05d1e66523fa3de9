"""``dbutils`` on one machine: the modules that the notebooks use."""

import builtins
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from local.notebooks.dbutils_module import DbutilsError, DbutilsModule
from local.notebooks.filesystem import Filesystem
from local.notebooks.widgets import Widgets

_SECRET = "PINTEREST_SECRET_"  # noqa: S105 - where secrets are looked for, not one
_REDACTED = "[REDACTED]"
RunNotebook = Callable[[str, Mapping[str, str]], str]


class NotebookExit(BaseException):
    """The notebook asked to end, with a value. No error: no ``except Exception`` of a notebook may stop it."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


@dataclass(frozen=True)
class SecretMetadata:
    """Name of a secret."""

    key: str


@dataclass(frozen=True)
class SecretScope:
    """Name of a scope of secrets."""

    name: str


class Secrets(DbutilsModule):
    """Secrets from the environment, ``PINTEREST_SECRET_<SCOPE>_<KEY>``; none that was read is ever shown."""

    def __init__(self) -> None:
        super().__init__("dbutils.secrets")
        self._read: set[str] = set()

    def get(self, scope: str, key: str) -> str:
        """Value of a secret."""
        name = f"{_SECRET}{_upper(scope)}_{_upper(key)}"
        if name not in os.environ:
            raise DbutilsError(f"secret {key!r} of scope {scope!r} must be set in the environment as {name}")
        value = os.environ[name]
        self._read.add(value)
        return value

    def list(self, scope: str) -> "builtins.list[SecretMetadata]":
        """Names of a scope's secrets."""
        start = f"{_SECRET}{_upper(scope)}_"
        names = sorted(name for name in os.environ if name.startswith(start))
        return [SecretMetadata(name.removeprefix(start).lower()) for name in names]

    def listScopes(self) -> "builtins.list[SecretScope]":  # noqa: N802 - the platform's name
        """Scopes; of a name in the environment, what stands before the first underscore."""
        names = {name.removeprefix(_SECRET).split("_")[0].lower() for name in os.environ if name.startswith(_SECRET)}
        return [SecretScope(name) for name in sorted(names)]

    def redact(self, text: str) -> str:
        """The text without the values that were read."""
        for value in sorted(filter(None, self._read), key=len, reverse=True):
            text = text.replace(value, _REDACTED)
        return text


class DbutilsState:
    """State that the notebooks of one process share: mounts, secrets, task values."""

    def __init__(self) -> None:
        self.filesystem = Filesystem()
        self.secrets = Secrets()
        self.task_values: dict[tuple[str, str], object] = {}

    def redact(self, text: str) -> str:
        """The text without secrets."""
        return self.secrets.redact(text)


class NotebookModule(DbutilsModule):
    """Ends this notebook, or runs another."""

    def __init__(self, run: RunNotebook) -> None:
        super().__init__("dbutils.notebook")
        self._run = run

    def exit(self, value: object) -> None:
        """Ends this notebook with a value."""
        raise NotebookExit(str(value))

    def run(
        self,
        path: str,
        timeout_seconds: int = 0,  # noqa: ARG002 - the platform keeps it
        arguments: Mapping[str, str] | None = None,
    ) -> str:
        """Runs another notebook; the value it exits with. The time limit is the platform's and not kept here."""
        return self._run(path, arguments or {})


class TaskValues(DbutilsModule):
    """Small values that a task of a job leaves for later ones."""

    def __init__(self, state: DbutilsState, task: str) -> None:
        super().__init__("dbutils.jobs.taskValues")
        self._values = state.task_values
        self._task = task

    def set(self, key: str, value: object) -> None:
        """Leaves a value; it must be one that JSON can hold."""
        try:
            self._values[self._task, key] = json.loads(json.dumps(value))
        except (TypeError, ValueError) as error:
            raise DbutilsError(f"task value {key!r} must be one that JSON can hold, got {type(value)}") from error

    def get(
        self,
        taskKey: str,  # noqa: N803 - the platform's name
        key: str,
        default: object = None,
        debugValue: object = None,  # noqa: N803, ARG002 - counts only outside of a job
    ) -> object:
        """The value that a task (a notebook's name, on one machine) left."""
        if (taskKey, key) not in self._values and default is None:
            raise DbutilsError(f"task {taskKey!r} must have set the value {key!r}, and it did not")
        return self._values.get((taskKey, key), default)


class Jobs(DbutilsModule):
    """What a task of a job may do."""

    def __init__(self, state: DbutilsState, task: str) -> None:
        super().__init__("dbutils.jobs")
        self.taskValues = TaskValues(state, task)  # the platform's name


class Dbutils(DbutilsModule):
    """The ``dbutils`` of one notebook."""

    def __init__(self, state: DbutilsState, parameters: Mapping[str, str], *, run: RunNotebook, task: str) -> None:
        super().__init__("dbutils")
        self.widgets = Widgets(parameters)
        self.fs = state.filesystem
        self.secrets = state.secrets
        self.notebook = NotebookModule(run)
        self.jobs = Jobs(state, task)


def _upper(name: str) -> str:
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
