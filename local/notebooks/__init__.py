"""Runs notebooks in source format, with a ``dbutils`` and a ``display`` for one machine."""
