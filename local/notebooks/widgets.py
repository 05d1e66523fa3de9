"""``dbutils.widgets`` on one machine: the parameters of a notebook."""

from collections.abc import Iterable, Mapping, Sequence

from local.notebooks.dbutils_module import DbutilsError, DbutilsModule


class Widgets(DbutilsModule):
    """Parameters of a notebook: the job's value wins over the widget's default."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__("dbutils.widgets")
        self._parameters = dict(parameters)
        self._values: dict[str, str] = {}
        self._seen: set[str] = set()

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803, ARG002
        """Declares a widget for any text."""
        self._declare(name, defaultValue)

    def combobox(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],  # noqa: ARG002 - suggestions only
        label: str | None = None,  # noqa: ARG002
    ) -> None:
        """Declares a widget for one of the choices or any other text."""
        self._declare(name, defaultValue)

    def dropdown(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],
        label: str | None = None,  # noqa: ARG002
    ) -> None:
        """Declares a widget for one of the choices."""
        self._declare(name, defaultValue)
        self._check_choices(name, [self._values[name]], choices)

    def multiselect(
        self,
        name: str,
        defaultValue: str,  # noqa: N803 - the platform's name
        choices: Sequence[str],
        label: str | None = None,  # noqa: ARG002
    ) -> None:
        """Declares a widget for some of the choices, separated by commas."""
        self._declare(name, defaultValue)
        self._check_choices(name, [value for value in self._values[name].split(",") if value], choices)

    def get(self, name: str) -> str:
        """Value of a widget."""
        if name not in self._values:
            raise DbutilsError(f"widget must be one of {_listed(self._values)}, got {name!r}")
        return self._values[name]

    def getAll(self) -> dict[str, str]:  # noqa: N802 - the platform's name
        """Values of all widgets by name."""
        return dict(self._values)

    def remove(self, name: str) -> None:
        """Takes a widget away."""
        self.get(name)
        del self._values[name]

    def removeAll(self) -> None:  # noqa: N802 - the platform's name
        """Takes every widget away."""
        self._values.clear()

    @property
    def any_declared(self) -> bool:
        """Whether any widget was declared until now."""
        return bool(self._seen)

    def check_parameters(self) -> None:
        """Checks that a widget was declared for every parameter.

        Raises:
            DbutilsError: if for one there was none.
        """
        if unknown := set(self._parameters) - self._seen:
            raise DbutilsError(f"parameter must be one of the widgets {_listed(self._seen)}, got {_listed(unknown)}")

    def _declare(self, name: str, default: str) -> None:
        self._seen.add(name)
        self._values.setdefault(name, str(self._parameters.get(name, default)))

    @staticmethod
    def _check_choices(name: str, values: Sequence[str], choices: Sequence[str]) -> None:
        for value in values:
            if value not in choices:
                raise DbutilsError(f"widget {name} must be one of {', '.join(choices)}, got {value!r}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "(none)"
