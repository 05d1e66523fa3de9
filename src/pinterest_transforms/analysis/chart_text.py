"""Words and numbers as a reader gets them, and text of the data made harmless for plotly. Free of Spark and plotly."""

import html
import re
import unicodedata

_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def format_number(value: float) -> str:
    """A number with separators; a half is kept, nothing else is rounded away in a whole one.

    >>> format_number(1234567), format_number(1500.5)
    ('1,234,567', '1,500.5')
    """
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def format_count(value: float, one: str) -> str:
    """A number and its noun.

    >>> format_count(1, "post"), format_count(2, "post"), format_count(3, "country")
    ('1 post', '2 posts', '3 countries')
    """
    many = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{format_number(value)} {one if value == 1 else many}"


def clean_line(text: object) -> str:
    """Text of the data on one line, without control characters and without marks that turn the text around."""
    return _UNSEEN.sub(" ", str(text)).strip()


def truncate(text: str, width: int) -> str:
    """At most so many columns of text, wide (East Asian, emoji) characters taking two; cut with an ellipsis."""
    used = 0
    for at, character in enumerate(text):
        used += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if used > width:
            return text[: max(at - 1, 0)].rstrip(" \u200d\ufe0f") + "…"
    return text


def escape_text(text: object, width: int = 10_000) -> str:
    """Text of the data as plotly must get it, so that it shows as it is: no markup, no link, no formula.

    plotly reads a little HTML, entities and ``$…$`` in every text. A text that is written from right to left is
    isolated, so that it does not turn around the numbers beside it.
    """
    short = truncate(clean_line(text), width)
    escaped = html.escape(short, quote=False).replace("$", "&#36;")
    turned = any(unicodedata.bidirectional(character) in {"R", "AL", "AN"} for character in short)
    return f"\u2068{escaped}\u2069" if turned else escaped
