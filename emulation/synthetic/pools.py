"""Pools of a few thousand values that synthetic posts are sampled from, built once per seed."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import numpy.typing as npt

from emulation.synthetic import phrases
from emulation.synthetic.column_random import ColumnRandom, Ints

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
    """Texts of posts; the first dimension is the category, in the order of ``phrases.CATEGORIES``.

    Attributes:
        titles: titles.
        descriptions: descriptions without trailing white space.
        spaced: the same descriptions with a no-break space at the end.
        tags: tag lists, joined by commas.
    """

    titles: Texts
    descriptions: Texts
    spaced: Texts
    tags: Texts


@dataclass(frozen=True)
class Posters:
    """The posters of pins, by index."""

    names: Texts
    followers: Texts


@dataclass(frozen=True)
class People:
    """The users of posts, by index. Several people may have the same name."""

    first_names: Texts
    last_names: Texts
    ages: Ints
    joined: npt.NDArray[np.datetime64]


def _fill_templates(templates: tuple[str, ...], category: str) -> list[str]:
    """Distinct texts of every template, subject of the category and number."""
    subjects = phrases.SUBJECTS[category]
    made = (t.format(s=s, c=category, n=n) for t, s, n in product(templates, subjects, NUMBERS))
    return list(dict.fromkeys(made))


def _build_tag_lists(category: str) -> list[str]:
    tags = [f"{subject} {ending}" for ending in phrases.TAG_ENDINGS for subject in phrases.SUBJECTS[category]]
    return [",".join(tags[(first + step * n) % len(tags)] for n in range(9)) for first in range(60) for step in (1, 5)]


def _build_table(rows: list[list[str]]) -> Texts:
    """Texts as an array whose rows are truncated to the shortest."""
    width = min(len(row) for row in rows)
    table = np.empty((len(rows), width), dtype=object)
    for number, row in enumerate(rows):
        table[number, :] = row[:width]
    return table


@lru_cache(maxsize=1)
def build_category_pools() -> CategoryPools:
    """Texts of posts, the same for every seed."""
    descriptions = [_fill_templates(phrases.DESCRIPTIONS, category) for category in phrases.CATEGORIES]
    return CategoryPools(
        titles=_build_table([_fill_templates(phrases.TITLES, category) for category in phrases.CATEGORIES]),
        descriptions=_build_table(descriptions),
        spaced=_build_table([[text.rstrip("….!") + TEXT_ENDING for text in row] for row in descriptions]),
        tags=_build_table([_build_tag_lists(category) for category in phrases.CATEGORIES]),
    )


def _build_follower_counts(random: ColumnRandom) -> list[str]:
    """Follower counts in poster order: first millions, then plain digits, then thousands."""
    counted = MILLIONS + PLAIN + THOUSANDS
    millions, plain = POSTERS * MILLIONS // counted, POSTERS * (MILLIONS + PLAIN) // counted
    # The minimum of two values: small counts are more common.
    amounts = [
        np.minimum(random.integers("low", top), random.integers("high", top)).tolist() for top in (40, 1000, 999)
    ]
    made = [f"{amount + 1}M" for amount in amounts[0][:millions]]
    made += [f"{amount}" for amount in amounts[1][millions:plain]]
    return made + [f"{amount + 1}k" for amount in amounts[2][plain:]]


@lru_cache(maxsize=4)
def build_posters(seed: int) -> Posters:
    """Posters with distinct names and one follower count each."""
    subjects = [subject for category in phrases.CATEGORIES for subject in phrases.SUBJECTS[category]]
    random = ColumnRandom(seed, np.arange(3 * POSTERS))
    picks = zip(
        random.integers("poster template", len(phrases.POSTER_NAMES)).tolist(),
        random.integers("poster first name", len(phrases.FIRST_NAMES)).tolist(),
        random.integers("poster last name", len(phrases.LAST_NAMES)).tolist(),
        random.integers("poster subject", len(subjects)).tolist(),
        strict=True,
    )
    made = (
        phrases.POSTER_NAMES[t].format(f=phrases.FIRST_NAMES[f], l=phrases.LAST_NAMES[n], s=subjects[s])
        for t, f, n, s in picks
    )
    names = list(dict.fromkeys(made))[:POSTERS]
    followers = _build_follower_counts(ColumnRandom(seed, np.arange(len(names))))
    return Posters(np.array(names, dtype=object), np.array(followers, dtype=object))


@lru_cache(maxsize=4)
def build_people(seed: int) -> People:
    """People aged 20 to 60 who joined from 2015-10 to 2017-10; every tenth has the same name as the previous one."""
    index = np.arange(PEOPLE)
    names = ColumnRandom(seed, np.where(index % SHARED_NAMES == 0, np.maximum(index - 1, 0), index))
    first = np.array(phrases.FIRST_NAMES, dtype=object)[names.integers("first name", len(phrases.FIRST_NAMES))]
    last = np.array(phrases.LAST_NAMES, dtype=object)[names.integers("last name", len(phrases.LAST_NAMES))]
    random = ColumnRandom(seed, index)
    seconds = random.integers("joined", int((LAST_JOINED - FIRST_JOINED).astype(np.int64)))
    return People(
        first_names=first,
        last_names=last,
        ages=20 + np.minimum(random.integers("age", 41), random.integers("age again", 41)),
        joined=FIRST_JOINED + seconds.astype("timedelta64[s]"),
    )
