"""Base of the modules of ``dbutils``: an unknown attribute is an error that lists the known ones."""

from typing import NoReturn

from pinterest_transforms.errors import PinterestError


class DbutilsError(PinterestError):
    """``dbutils`` was asked for what is not there, or given what it cannot take."""


class MissingError(DbutilsError, AttributeError):
    """A part of ``dbutils`` that one machine does not have."""


class DbutilsModule:
    """Base of ``dbutils`` and its modules."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> NoReturn:
        """Says what there is: reached only for what is not there."""
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        has = sorted(name for name in {*dir(type(self)), *vars(self)} if not name.startswith("_"))
        raise MissingError(f"{self._name} has no {attribute!r} on one machine: it has {', '.join(has)}")
