"""Random numbers that depend only on the seed, the column's name and the row's index.

A counter-based generator (splitmix64) instead of a stream: row 7 is the same row whatever the chunk, the size or the
number of rows before it. Integer arithmetic only, so every machine and every numpy draws the same.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIXERS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
_HALF = np.uint64(32)


@dataclass(frozen=True)
class Draws:
    """The random numbers of some rows.

    Attributes:
        seed: the seed of the whole source.
        index: the rows' indexes, 0 and up.
    """

    seed: int
    index: Ints

    def words(self, column: str) -> Words:
        """64 random bits a row; two columns of different names are independent."""
        digest = hashlib.blake2b(f"{self.seed}/{column}".encode(), digest_size=8).digest()
        mixed = (self.index.astype(np.uint64) + np.uint64(1)) * _STEP + np.uint64(int.from_bytes(digest, "little"))
        for shift, factor in _MIXERS:
            mixed = (mixed ^ (mixed >> shift)) * factor
        return mixed ^ (mixed >> _LAST_SHIFT)

    def below(self, column: str, limit: int) -> Ints:
        """Whole numbers from 0 to ``limit`` - 1 (``limit`` up to 2**32), each as likely."""
        return (((self.words(column) >> _HALF) * np.uint64(limit)) >> _HALF).astype(np.int64)

    def chance(self, column: str, share: float) -> Flags:
        """True for this share of the rows, 0..1 (below 1)."""
        return self.words(column) < np.uint64(int(share * 2**64))

    def slots(self, column: str, shares: tuple[float, ...]) -> Ints:
        """The number of the share a row falls into; ``len(shares)`` for the rest."""
        bounds = [int(sum(shares[: n + 1]) * 2**64) for n in range(len(shares))]
        return np.searchsorted(np.array(bounds, dtype=np.uint64), self.words(column), side="right").astype(np.int64)

    def hexadecimal(self, column: str, template: str) -> list[str]:
        """The template with each ``#`` replaced by a random hexadecimal digit, for every row."""
        shape = np.frombuffer(template.encode("ascii"), dtype=np.uint8)
        holes = np.flatnonzero(shape == ord("#"))
        columns = [self.words(f"{column}/{n}") for n in range(-(-len(holes) // 16))]
        nibbles = np.stack(columns, axis=1)[:, :, None] >> (np.arange(16, dtype=np.uint64) * np.uint64(4))
        digits = (nibbles & np.uint64(15)).astype(np.uint8).reshape(len(self.index), 16 * len(columns))[:, : len(holes)]
        text = np.tile(shape, (len(self.index), 1))
        text[:, holes] = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits]
        joined, width = text.tobytes().decode("ascii"), len(template)
        return [joined[start : start + width] for start in range(0, len(joined), width)]
