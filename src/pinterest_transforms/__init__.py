"""Cleans posts of a Pinterest-like service, from batches and from streams, and answers the analysts' questions.

Importing the package imports no Spark, so that the emulation can share its names on a small client machine.
"""

from pinterest_transforms.version import library_version

__version__ = library_version()
