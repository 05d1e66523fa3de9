"""The page around the sections: one file, no request to anywhere.

The page carries a Content-Security-Policy that allows its own two scripts, by their hashes, and nothing else: should a
text of the data ever get into the markup, the browser would still not run it.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from pathlib import Path
from string import Template

import plotly.graph_objects as go
from plotly.io import to_json
from plotly.offline import get_plotlyjs

_HERE = Path(__file__).parent
_UNSAFE_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


@dataclass(frozen=True)
class Section:
    """A part of the page with an entry in the index.

    Attributes:
        anchor: id of the section.
        title: its heading, plain text.
        body: its HTML.
        figures: its charts by the id of the element they are drawn into.
    """

    anchor: str
    title: str
    body: str
    figures: dict[str, go.Figure] = field(default_factory=dict)


def to_script_json(value: object) -> str:
    """JSON that may stand inside ``<script>``: ASCII only, and nothing in it can end the element or open a comment."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).translate(_UNSAFE_IN_SCRIPT)


def render_page(facts: str, numbers: str, sections: Sequence[Section]) -> str:
    """The whole page, of its facts and key numbers (HTML), and sections."""
    library, script = _read_plotly(), _read_asset("report.js")
    figures = {name: figure for section in sections for name, figure in section.figures.items()}
    drawn = {name: json.loads(to_json(figure, engine="json")) for name, figure in figures.items()}
    index = "\n".join(f'<li><a href="#{escape(s.anchor)}">{escape(s.title)}</a></li>' for s in sections)
    bodies = "\n".join(
        f'<section id="{escape(s.anchor)}" aria-labelledby="{escape(s.anchor)}-title">\n'
        f'<h2 id="{escape(s.anchor)}-title">{escape(s.title)}</h2>\n{s.body}\n</section>'
        for s in sections
    )
    return Template(_read_asset("report.html")).substitute(
        policy=_build_policy(library, script),
        style=_read_asset("report.css"),
        facts=facts,
        numbers=numbers,
        index=index,
        sections=bodies,
        figures=to_script_json(drawn),
        plotly=library,
        script=script,
    )


@cache
def _read_plotly() -> str:
    """plotly.js, with the line ends a browser hashes."""
    library: str = get_plotlyjs().replace("\r\n", "\n").replace("\r", "\n")
    return library


def _read_asset(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _build_policy(*scripts: str) -> str:
    """Only these scripts; styles inline because plotly sets them; images only as data; nothing is loaded or sent."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{value}'" for value in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
