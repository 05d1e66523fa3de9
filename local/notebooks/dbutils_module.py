"""Base of the modules of ``dbutils``: an unknown attribute is an error that lists the known ones."""

from typing import NoReturn

from pinterest_transforms.errors import PinterestError


class DbutilsError(PinterestError):
    """A value of ``dbutils`` does not exist, or an argument is not valid."""


class MissingError(DbutilsError, AttributeError):
    """A part of ``dbutils`` that one machine does not have."""


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
