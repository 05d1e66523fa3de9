"""Random numbers that depend on the seed, the column's name and the row's index only.

A counter-based generator (splitmix64): row 7 has the same values whatever the chunk size or the number of rows. Integer
arithmetic only, so every machine and numpy version returns the same.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class ColumnRandom:
    """Random values for some rows; columns with different names are independent.

    Attributes:
        seed: the seed of the source.
        index: the rows' indexes, from 0.
    """

    seed: int
    index: Ints

    def bits(self, column: str) -> Bits:
        """64 random bits per row."""
        digest = hashlib.blake2b(f"{self.seed}/{column}".encode(), digest_size=8).digest()
        mixed = (self.index.astype(np.uint64) + np.uint64(1)) * _STEP + np.uint64(int.from_bytes(digest, "little"))
        for shift, factor in _MIXERS:
            mixed = (mixed ^ (mixed >> shift)) * factor
        return mixed ^ (mixed >> _LAST_SHIFT)

    def integers(self, column: str, limit: int) -> Ints:
        """Uniform integers from 0 to ``limit`` - 1 (``limit`` up to 2**32)."""
        return (((self.bits(column) >> _HALF) * np.uint64(limit)) >> _HALF).astype(np.int64)

    def flags(self, column: str, probability: float) -> Flags:
        """True with a probability of 0..1 (below 1)."""
        return self.bits(column) < np.uint64(int(probability * 2**64))

    def choices(self, column: str, probabilities: tuple[float, ...]) -> Ints:
        """The index of a probability per row; ``len(probabilities)`` for the remainder."""
        bounds = [int(sum(probabilities[: n + 1]) * 2**64) for n in range(len(probabilities))]
        return np.searchsorted(np.array(bounds, dtype=np.uint64), self.bits(column), side="right").astype(np.int64)

    def hex_texts(self, column: str, template: str) -> list[str]:
        """The template per row, each ``#`` replaced by a random hexadecimal digit."""
        characters = np.frombuffer(template.encode("ascii"), dtype=np.uint8)
        holes = np.flatnonzero(characters == ord("#"))
        columns = [self.bits(f"{column}/{n}") for n in range(-(-len(holes) // 16))]
        nibbles = np.stack(columns, axis=1)[:, :, None] >> (np.arange(16, dtype=np.uint64) * np.uint64(4))
        digits = (nibbles & np.uint64(15)).astype(np.uint8).reshape(len(self.index), 16 * len(columns))[:, : len(holes)]
        text = np.tile(characters, (len(self.index), 1))
        text[:, holes] = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits]
        joined, width = text.tobytes().decode("ascii"), len(template)
        return [joined[start : start + width] for start in range(0, len(joined), width)]
