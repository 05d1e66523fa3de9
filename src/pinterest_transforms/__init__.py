"""Cleans posts of a Pinterest-like service, from batches and from streams, and answers the analysts' questions.

Importing the package imports no Spark, so that the emulation can share its names on a small client machine.
"""

__version__ = "0.1.0"
