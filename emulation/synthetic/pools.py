"""Pools of a few thousand values that made-up posts are sampled from; made once for a seed."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from emulation.synthetic import phrases as words
from emulation.synthetic.column_random import Draws, Ints

Texts = npt.NDArray[np.object_]

POSTERS = 5000
PEOPLE = 4000
NUMBERS = ("7", "15", "34", "120")
TEXT_ENDING = "…\u00a0"

# Follower counts over all posts: 73% thousands, 18% plain digits, 8% millions; the last 1% is a placeholder.
THOUSANDS, PLAIN, MILLIONS = 73, 18, 8
SHARED_NAMES = 10
FIRST_JOINED = np.datetime64("2015-10-01T00:00:00")
LAST_JOINED = np.datetime64("2017-11-01T00:00:00")


@dataclass(frozen=True)
class CategoryPools:
    """Texts of posts: a row of every table is a category, in the order of ``words.CATEGORIES``.

    Attributes:
        titles: titles.
        descriptions: descriptions, without trailing white space.
        spaced: the same descriptions, ending in a no-break space.
        tags: tag lists, joined by commas.
    """

    titles: Texts
    descriptions: Texts
    spaced: Texts
    tags: Texts


@dataclass(frozen=True)
class Posters:
    """Who pins: the same index is the same poster."""

    names: Texts
    followers: Texts


@dataclass(frozen=True)
class People:
    """Who posts: the same index is the same person. Some names belong to several people."""

    first_names: Texts
    last_names: Texts
    ages: Ints
    joined: npt.NDArray[np.datetime64]


def _filled(templates: tuple[str, ...], category: str) -> list[str]:
    """Every template with every subject of the category and every number, each text once."""
    subjects = words.SUBJECTS[category]
    made = (t.format(s=s, c=category, n=n) for t, s, n in product(templates, subjects, NUMBERS))
    return list(dict.fromkeys(made))


def _tag_lists(category: str) -> list[str]:
    """Lists of nine tags, as a post has them."""
    tags = [f"{subject} {ending}" for ending in words.TAG_ENDINGS for subject in words.SUBJECTS[category]]
    return [",".join(tags[(first + step * n) % len(tags)] for n in range(9)) for first in range(60) for step in (1, 5)]


def _table(rows: list[list[str]]) -> Texts:
    """Texts as a table of equal rows, cut to the shortest."""
    width = min(len(row) for row in rows)
    table = np.empty((len(rows), width), dtype=object)
    for number, row in enumerate(rows):
        table[number, :] = row[:width]
    return table


@lru_cache(maxsize=1)
def category_pools() -> CategoryPools:
    """The texts of posts, the same for every seed."""
    descriptions = [_filled(words.DESCRIPTIONS, category) for category in words.CATEGORIES]
    return CategoryPools(
        titles=_table([_filled(words.TITLES, category) for category in words.CATEGORIES]),
        descriptions=_table(descriptions),
        spaced=_table([[text.rstrip("….!") + TEXT_ENDING for text in row] for row in descriptions]),
        tags=_table([_tag_lists(category) for category in words.CATEGORIES]),
    )


def _followers(draws: Draws) -> list[str]:
    """A follower count for every poster: the first posters have millions, the next plain digits, the rest thousands."""
    counted = MILLIONS + PLAIN + THOUSANDS
    millions, plain = POSTERS * MILLIONS // counted, POSTERS * (MILLIONS + PLAIN) // counted
    # The smaller of two draws: small counts are more common than large ones.
    amounts = [np.minimum(draws.below("low", top), draws.below("high", top)).tolist() for top in (40, 1000, 999)]
    made = [f"{amount + 1}M" for amount in amounts[0][:millions]]
    made += [f"{amount}" for amount in amounts[1][millions:plain]]
    return made + [f"{amount + 1}k" for amount in amounts[2][plain:]]


@lru_cache(maxsize=4)
def posters(seed: int) -> Posters:
    """The posters of a source: distinct names, each with one follower count."""
    subjects = [subject for category in words.CATEGORIES for subject in words.SUBJECTS[category]]
    draws = Draws(seed, np.arange(3 * POSTERS))
    picks = zip(
        draws.below("poster template", len(words.POSTER_NAMES)).tolist(),
        draws.below("poster first name", len(words.FIRST_NAMES)).tolist(),
        draws.below("poster last name", len(words.LAST_NAMES)).tolist(),
        draws.below("poster subject", len(subjects)).tolist(),
        strict=True,
    )
    made = (
        words.POSTER_NAMES[t].format(f=words.FIRST_NAMES[f], l=words.LAST_NAMES[n], s=subjects[s])
        for t, f, n, s in picks
    )
    names = list(dict.fromkeys(made))[:POSTERS]
    followers = _followers(Draws(seed, np.arange(len(names))))
    return Posters(np.array(names, dtype=object), np.array(followers, dtype=object))


@lru_cache(maxsize=4)
def people(seed: int) -> People:
    """The people of a source: ages 20 to 60, joined 2015-10 to 2017-10; every tenth has the name of the one before."""
    index = np.arange(PEOPLE)
    named = Draws(seed, np.where(index % SHARED_NAMES == 0, np.maximum(index - 1, 0), index))
    first = np.array(words.FIRST_NAMES, dtype=object)[named.below("first name", len(words.FIRST_NAMES))]
    last = np.array(words.LAST_NAMES, dtype=object)[named.below("last name", len(words.LAST_NAMES))]
    draws = Draws(seed, index)
    seconds = draws.below("joined", int((LAST_JOINED - FIRST_JOINED).astype(np.int64)))
    return People(
        first_names=first,
        last_names=last,
        ages=20 + np.minimum(draws.below("age", 41), draws.below("age again", 41)),
        joined=FIRST_JOINED + seconds.astype("timedelta64[s]"),
    )
