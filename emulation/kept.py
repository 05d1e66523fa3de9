"""Files that a sender leaves for its next run, where nobody names others."""

from pathlib import Path

_STATE = Path("build/emulation")


def failed_file(command: str) -> Path:
    """Where failed records go if nobody says another place."""
    return _STATE / f"{command}-failed.jsonl"


def cursor_file(command: str) -> Path:
    """Where the place of a run is kept if nobody says another one."""
    return _STATE / f"{command}-cursor.json"
