"""Generates synthetic posts with the defects of real ones in their real proportions, in constant memory.

Source: the data contract, sections 2 and 3. A row depends on the seed and its index only: the same seed and size give
the same bytes on any machine, and a larger source starts with the rows of a smaller one.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from emulation.source.source_records import Row
from emulation.synthetic.column_random import ColumnRandom, Ints
from emulation.synthetic.countries import COUNTRIES
from emulation.synthetic.phrases import CATEGORIES
from emulation.synthetic.pools import Texts, build_category_pools, build_people, build_posters
from pinterest_transforms.entities import GEO, PIN, USER, Entity

Columns = list[list[str] | list[int] | list[float]]

CHUNK_SIZE = 10_000

# Share of keys without a row in this table: topics have different lengths.
MISSING = {PIN.name: 0.001, GEO.name: 0.003, USER.name: 0.002}

STORY, VIDEO = "multi-video(story page format)", "video"
NO_STORY_TEXT = "No description available Story format"
NO_TEXT = ("No description available", "Untitled")
NO_TITLE, NO_USER, NO_IMAGE = "No Title Data Available", "User Info Error", "Image src error."
NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"

# Shares of posts. A failed scrape is a story without title, tags, image and poster; other defects come on top.
FAILED, STORIES, VIDEOS = 0.01, 0.07, 0.045
NO_TEXTS = (0.007, 0.007)
TITLE_FAULTS = (0.01, 0.003)
IMAGE_FAULT, TAGS_FAULT = 0.01, 0.01
SPACED = 0.37
# Spellings of dates: 2020-08-28 03:52:47, 2020:08:28 03:52:47, 08/28/2020, 03:52:47; else 2020-08-28T03:52:47.
SPELLINGS = (0.40, 0.02, 0.01)
PLAIN, COLONS, SLASHES = range(3)
FAILED_FORM, STORY_FORM, VIDEO_FORM = range(3)

FIRST_POST = np.datetime64("2017-01-01T00:00:00")
LAST_POST = np.datetime64("2023-01-01T00:00:00")

IMAGE = "https://i.pinimg.example/originals/##/##/##/################################.jpg"
VIDEO_IMAGE = (
    "https://i.pinimg.example/videos/thumbnails/originals/##/##/##/################################.0000001.jpg"
)


def generate_rows(entity: Entity, posts: int, seed: int, chunk_size: int = CHUNK_SIZE) -> Iterator[list[Row]]:
    """Generates the rows of one source table in key order.

    Args:
        entity: which table.
        posts: number of keys, from 0; a few have no row in this table.
        seed: the random seed.
        chunk_size: keys per list; it does not change the rows.
    """
    for start in range(0, posts, chunk_size):
        yield generate_rows_of_keys(entity, range(start, min(start + chunk_size, posts)), seed)


def generate_rows_of_keys(entity: Entity, keys: Sequence[int], seed: int) -> list[Row]:
    """Generates the rows of these keys; a few have none."""
    index = np.array(keys)
    random = ColumnRandom(seed, index[~ColumnRandom(seed, index).flags(f"no {entity.name}", MISSING[entity.name])])
    rows: Iterator[Row] = zip(random.index.tolist(), *_GENERATORS[entity.name](random), strict=True)
    return list(rows)


def format_timestamps(moments: npt.NDArray[np.datetime64], random: ColumnRandom, column: str) -> list[str]:
    """Timestamps as text, each in one of the four formats of the source."""
    texts = np.datetime_as_string(moments, unit="s").astype("<U19")
    slots = random.choices(f"{column} spelling", SPELLINGS)
    letters = texts.view("<u4").reshape(len(texts), 19)
    letters[slots < SLASHES, 10] = ord(" ")
    letters[np.ix_(slots == COLONS, [4, 7])] = ord(":")
    made: list[str] = texts.tolist()
    for row in np.flatnonzero(slots == SLASHES).tolist():
        text = made[row]
        made[row] = f"{text[5:7]}/{text[8:10]}/{text[:4]}, {text[11:]}"
    return made


def _generate_pins(random: ColumnRandom) -> Columns:
    """The columns of ``pinterest_data`` after the key."""
    pools, posters = build_category_pools(), build_posters(random.seed)
    category = random.integers("category", len(CATEGORIES))
    # One value for form and failure, so that the placeholders occur together.
    form = random.choices("form", (FAILED, STORIES, VIDEOS))
    failed, poster = form == FAILED_FORM, random.integers("poster", len(posters.names))
    no_image = failed | random.flags("no image", IMAGE_FAULT)
    tags = _pick_texts(pools.tags, category, random, "tags")
    tags[failed | random.flags("no tags", TAGS_FAULT)] = NO_TAGS
    poster_name, followers = posters.names[poster], posters.followers[poster]
    poster_name[failed] = followers[failed] = NO_USER
    image = np.array(random.hex_texts("image", IMAGE), dtype=object)
    video = form == VIDEO_FORM
    image[video] = ColumnRandom(random.seed, random.index[video]).hex_texts("image", VIDEO_IMAGE)
    image[no_image] = NO_IMAGE
    return [
        random.hex_texts("unique id", "########-####-4###-a###-############"),
        _generate_titles(random, category, failed).tolist(),
        _generate_descriptions(random, category, form <= STORY_FORM).tolist(),
        poster_name.tolist(),
        followers.tolist(),
        tags.tolist(),
        np.array([STORY, STORY, VIDEO, "image"], dtype=object)[form].tolist(),
        image.tolist(),
        (~no_image).astype(np.int64).tolist(),
        np.array([f"Local save in /data/{name}" for name in CATEGORIES], dtype=object)[category].tolist(),
        np.array(CATEGORIES, dtype=object)[category].tolist(),
    ]


def _pick_texts(table: Texts, category: Ints, random: ColumnRandom, column: str) -> Texts:
    picked: Texts = table[category, random.integers(column, table.shape[1])]
    return picked


def _generate_titles(random: ColumnRandom, category: Ints, failed: npt.NDArray[np.bool_]) -> Texts:
    """Titles; some are placeholders, a few are empty."""
    titles = _pick_texts(build_category_pools().titles, category, random, "title")
    fault = random.choices("title fault", TITLE_FAULTS)
    titles[failed | (fault == 0)] = NO_TITLE
    titles[~failed & (fault == 1)] = ""
    return titles


def _generate_descriptions(random: ColumnRandom, category: Ints, story: npt.NDArray[np.bool_]) -> Texts:
    """Descriptions; every story and a few others have a placeholder, 37% of all end in a no-break space."""
    pools = build_category_pools()
    texts = _pick_texts(pools.descriptions, category, random, "description")
    ordinary = (1 - FAILED - STORIES) * (1 - sum(NO_TEXTS))
    spaced = random.flags("spaced", SPACED / ordinary)
    texts[spaced] = _pick_texts(pools.spaced, category, random, "description")[spaced]
    fault = random.choices("description fault", NO_TEXTS)
    for number, text in enumerate(NO_TEXT):
        texts[fault == number] = text
    texts[story] = NO_STORY_TEXT
    return texts


def _generate_geolocations(random: ColumnRandom) -> Columns:
    """The columns of ``geolocation_data`` after the key. Coordinates do not match the country."""
    seconds = random.integers("posted", int((LAST_POST - FIRST_POST).astype(np.int64)))
    return [
        format_timestamps(FIRST_POST + seconds.astype("timedelta64[s]"), random, "timestamp"),
        ((random.integers("latitude", 1_800_001) - 900_000) / 10_000).tolist(),
        ((random.integers("longitude", 3_600_001) - 1_800_000) / 10_000).tolist(),
        np.array(COUNTRIES, dtype=object)[random.integers("country", len(COUNTRIES))].tolist(),
    ]


def _generate_users(random: ColumnRandom) -> Columns:
    """The columns of ``user_data`` after the key. A few people have many posts."""
    people = build_people(random.seed)
    # The product of two uniform values prefers low indexes.
    person = (random.integers("person", len(people.ages)) * random.integers("person again", 1 << 20)) >> 20
    return [
        people.first_names[person].tolist(),
        people.last_names[person].tolist(),
        people.ages[person].tolist(),
        format_timestamps(people.joined[person], random, "date_joined"),
    ]


_GENERATORS: dict[str, Callable[[ColumnRandom], Columns]] = {
    PIN.name: _generate_pins,
    GEO.name: _generate_geolocations,
    USER.name: _generate_users,
}
