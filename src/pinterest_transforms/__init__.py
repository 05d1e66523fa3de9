"""Cleans posts of a Pinterest-like service, from batches and from streams, and answers the analysts' questions.

What a user of the library needs is here; ``docs/library.md`` shows how it is used:

    from pinterest_transforms import PIN, clean, latest_per_key
    pins, quarantined = clean(df, PIN, column="value")

Importing the package imports no Spark, so that the emulation can share its names on a small client machine: a name that
needs Spark is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from pinterest_transforms.version import library_version

if TYPE_CHECKING:
    from pinterest_transforms.analysis.answer_posts import explain_answer
    from pinterest_transforms.analysis.answers import (
        ANSWERS,
        Answer,
        answer_named,
        median_followers_by_age_group,
        median_followers_by_age_group_and_join_year,
        median_followers_by_join_year,
        posts_by_category_and_year,
        top_category_by_age_group,
        top_category_by_country,
        top_category_by_year,
        top_user_by_country,
        top_user_country,
        users_joined_by_year,
    )
    from pinterest_transforms.analysis.counted_posts import CleanTables
    from pinterest_transforms.cleaning import clean
    from pinterest_transforms.deduplication import latest_per_key
    from pinterest_transforms.entities import ENTITIES, GEO, PIN, USER, Entity
    from pinterest_transforms.errors import PinterestError
    from pinterest_transforms.schemas import CONTRACT, QUARANTINE, RUNS, clean_schema
    from pinterest_transforms.settings import Leg, Settings

__version__ = library_version()

__all__ = [
    "ANSWERS",
    "CONTRACT",
    "ENTITIES",
    "GEO",
    "PIN",
    "QUARANTINE",
    "RUNS",
    "USER",
    "Answer",
    "CleanTables",
    "Entity",
    "Leg",
    "PinterestError",
    "Settings",
    "__version__",
    "answer_named",
    "clean",
    "clean_schema",
    "explain_answer",
    "latest_per_key",
    "median_followers_by_age_group",
    "median_followers_by_age_group_and_join_year",
    "median_followers_by_join_year",
    "posts_by_category_and_year",
    "top_category_by_age_group",
    "top_category_by_country",
    "top_category_by_year",
    "top_user_by_country",
    "top_user_country",
    "users_joined_by_year",
]

_HOMES = {
    "analysis.counted_posts": ("CleanTables",),
    "analysis.answer_posts": ("explain_answer",),
    "cleaning": ("clean",),
    "deduplication": ("latest_per_key",),
    "entities": ("ENTITIES", "GEO", "PIN", "USER", "Entity"),
    "errors": ("PinterestError",),
    "schemas": ("CONTRACT", "QUARANTINE", "RUNS", "clean_schema"),
    "settings": ("Leg", "Settings"),
}
"""Modules and their exported names; every other name is one of the answers."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Loads a name when it is first used (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME.get(name, 'analysis.answers')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The names that can be taken from here, loaded or not."""
    return sorted({*globals(), *__all__})
