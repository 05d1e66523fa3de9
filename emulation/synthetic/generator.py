"""Made-up posts with every dirtiness of the real ones in its real proportion, any number of them in flat memory.

Source: the data contract, sections 2 and 3. A row depends on the seed and its index only, so the same seed and size
give the same bytes on any machine, and a larger source starts with the smaller one.
"""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from emulation.source.source_records import Row
from emulation.synthetic.column_random import Draws, Ints
from emulation.synthetic.countries import COUNTRIES
from emulation.synthetic.phrases import CATEGORIES
from emulation.synthetic.pools import Texts, category_pools, people, posters
from pinterest_transforms.entities import GEO, PIN, USER, Entity
from pinterest_transforms.errors import SettingsError

Columns = list[list[str] | list[int] | list[float]]

CHUNK = 10_000

# Keys without a row of this table: topics have unequal lengths.
MISSING = {PIN.name: 0.001, GEO.name: 0.003, USER.name: 0.002}

STORY, VIDEO = "multi-video(story page format)", "video"
NO_STORY_TEXT = "No description available Story format"
NO_TEXT = ("No description available", "Untitled")
NO_TITLE, NO_USER, NO_IMAGE = "No Title Data Available", "User Info Error", "Image src error."
NO_TAGS = "N,o, ,T,a,g,s, ,A,v,a,i,l,a,b,l,e"

# Shares of posts. A failed scrape is a story without title, tags, image and poster; the rest is on top of it.
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


def chunks(entity: Entity, posts: int, seed: int, chunk: int = CHUNK) -> Iterator[list[Row]]:
    """The rows of one source table, in the order of their keys.

    Args:
        entity: which table.
        posts: how many keys, from 0; a few have no row in this table.
        seed: what everything is drawn from.
        chunk: keys made at a time; it changes the speed and the lists, never the rows.

    Raises:
        SettingsError: if ``posts`` or ``chunk`` is below 1.
    """
    for name, given in (("posts", posts), ("chunk", chunk)):
        if given < 1:
            raise SettingsError(f"{name} must be at least 1, got {given}")
    for start in range(0, posts, chunk):
        keys = np.arange(start, min(start + chunk, posts))
        draws = Draws(seed, keys[~Draws(seed, keys).chance(f"no {entity.name}", MISSING[entity.name])])
        made: Iterator[Row] = zip(draws.index.tolist(), *_MAKERS[entity.name](draws), strict=True)
        yield list(made)


def spelled(moments: npt.NDArray[np.datetime64], draws: Draws, column: str) -> list[str]:
    """Moments as text, in one of the four spellings of the source each."""
    texts = np.datetime_as_string(moments, unit="s").astype("<U19")
    slots = draws.slots(f"{column} spelling", SPELLINGS)
    letters = texts.view("<u4").reshape(len(texts), 19)
    letters[slots < SLASHES, 10] = ord(" ")
    letters[np.ix_(slots == COLONS, [4, 7])] = ord(":")
    made: list[str] = texts.tolist()
    for row in np.flatnonzero(slots == SLASHES).tolist():
        text = made[row]
        made[row] = f"{text[5:7]}/{text[8:10]}/{text[:4]}, {text[11:]}"
    return made


def _pins(draws: Draws) -> Columns:
    """The columns of ``pinterest_data`` after the key."""
    pools, who = category_pools(), posters(draws.seed)
    category = draws.below("category", len(CATEGORIES))
    # One draw for the form and the failure, so that the placeholders stand together.
    form = draws.slots("form", (FAILED, STORIES, VIDEOS))
    failed, poster = form == FAILED_FORM, draws.below("poster", len(who.names))
    no_image = failed | draws.chance("no image", IMAGE_FAULT)
    tags = _picked(pools.tags, category, draws, "tags")
    tags[failed | draws.chance("no tags", TAGS_FAULT)] = NO_TAGS
    poster_name, followers = who.names[poster], who.followers[poster]
    poster_name[failed] = followers[failed] = NO_USER
    image = np.array(draws.hexadecimal("image", IMAGE), dtype=object)
    video = form == VIDEO_FORM
    image[video] = Draws(draws.seed, draws.index[video]).hexadecimal("image", VIDEO_IMAGE)
    image[no_image] = NO_IMAGE
    return [
        draws.hexadecimal("unique id", "########-####-4###-a###-############"),
        _titles(draws, category, failed).tolist(),
        _descriptions(draws, category, form <= STORY_FORM).tolist(),
        poster_name.tolist(),
        followers.tolist(),
        tags.tolist(),
        np.array([STORY, STORY, VIDEO, "image"], dtype=object)[form].tolist(),
        image.tolist(),
        (~no_image).astype(np.int64).tolist(),
        np.array([f"Local save in /data/{name}" for name in CATEGORIES], dtype=object)[category].tolist(),
        np.array(CATEGORIES, dtype=object)[category].tolist(),
    ]


def _picked(table: Texts, category: Ints, draws: Draws, column: str) -> Texts:
    """For each row a text of its category."""
    picked: Texts = table[category, draws.below(column, table.shape[1])]
    return picked


def _titles(draws: Draws, category: Ints, failed: npt.NDArray[np.bool_]) -> Texts:
    """Titles, some missing, a few empty."""
    titles = _picked(category_pools().titles, category, draws, "title")
    fault = draws.slots("title fault", TITLE_FAULTS)
    titles[failed | (fault == 0)] = NO_TITLE
    titles[~failed & (fault == 1)] = ""
    return titles


def _descriptions(draws: Draws, category: Ints, story: npt.NDArray[np.bool_]) -> Texts:
    """Descriptions: a placeholder for every story and for a few others; 37% of all end in a no-break space."""
    pools = category_pools()
    texts = _picked(pools.descriptions, category, draws, "description")
    ordinary = (1 - FAILED - STORIES) * (1 - sum(NO_TEXTS))
    spaced = draws.chance("spaced", SPACED / ordinary)
    texts[spaced] = _picked(pools.spaced, category, draws, "description")[spaced]
    fault = draws.slots("description fault", NO_TEXTS)
    for number, text in enumerate(NO_TEXT):
        texts[fault == number] = text
    texts[story] = NO_STORY_TEXT
    return texts


def _geolocations(draws: Draws) -> Columns:
    """The columns of ``geolocation_data`` after the key. Coordinates have nothing to do with the country."""
    seconds = draws.below("posted", int((LAST_POST - FIRST_POST).astype(np.int64)))
    return [
        spelled(FIRST_POST + seconds.astype("timedelta64[s]"), draws, "timestamp"),
        ((draws.below("latitude", 1_800_001) - 900_000) / 10_000).tolist(),
        ((draws.below("longitude", 3_600_001) - 1_800_000) / 10_000).tolist(),
        np.array(COUNTRIES, dtype=object)[draws.below("country", len(COUNTRIES))].tolist(),
    ]


def _users(draws: Draws) -> Columns:
    """The columns of ``user_data`` after the key. A few people have very many posts, most have some."""
    who = people(draws.seed)
    # The product of two even draws leans to the low numbers.
    person = (draws.below("person", len(who.ages)) * draws.below("person again", 1 << 20)) >> 20
    return [
        who.first_names[person].tolist(),
        who.last_names[person].tolist(),
        who.ages[person].tolist(),
        spelled(who.joined[person], draws, "date_joined"),
    ]


_MAKERS: dict[str, Callable[[Draws], Columns]] = {PIN.name: _pins, GEO.name: _geolocations, USER.name: _users}
