"""The errors of this project: one root, a subclass for each kind of mistake.

Every message is one line: what must be, and what was given.
"""


class PinterestError(Exception):
    """Root of every error this project raises on purpose."""


class SettingsError(PinterestError, ValueError):
    """A setting, a name or an argument is not usable."""


class LandingError(PinterestError):
    """The landing folder, or a file in it, cannot be taken."""


class TableError(PinterestError):
    """A table is missing, is not Delta, or has a schema version this library cannot use."""


class CheckpointError(PinterestError):
    """A checkpoint does not belong to the tables or the source it is used with."""


class BusyError(PinterestError):
    """The same unit of work (warehouse, leg and entity) is already running."""


class UndoError(PinterestError):
    """A run cannot be undone."""


class StreamError(PinterestError):
    """A stream cannot be read, or not from where it was left."""


class MountError(PinterestError):
    """The platform refused to make the landing reachable."""


class QualityError(PinterestError):
    """What came is too bad, or too old, for the answers to be trusted."""
