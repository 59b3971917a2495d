"""One HTML file that needs no other: figures, script and style inside.

Names of jobs are other people's text. They reach the page as JSON in which no character means
anything to HTML, and the script puts them into the page as text alone. Should one get through all
the same, the content security policy runs no script but the page's own, known by its hash,
and reaches no network.
"""

import json
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from joblake.report.figures import Figures

_FOLDER = Path(__file__).parent
_SCRIPTS = ("figures", "elements", "charts", "night", "jobs", "times", "lineage", "page")
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def render_page(figures: Figures) -> str:
    """The page as one text of HTML."""
    script = "\n".join(['"use strict";', *(_file(f"static/{name}.js") for name in _SCRIPTS)])
    return Template(_file("static/page.html")).substitute(
        title=_title(figures),
        policy=_policy(script),
        style=_file("static/page.css"),
        data=_json({"version": version("joblake"), **vars(figures)}),
        script=script,
    )


def _title(figures: Figures) -> str:
    as_of = figures.as_of
    return "joblake report" if as_of is None else f"joblake report, {as_of.day} {as_of:%B %Y}"


def _policy(script: str) -> str:
    """The content security policy, which lets the page run this one script."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _json(value: dict[str, Any]) -> str:
    """JSON that stands safely in HTML: ASCII, without any character of markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=_milliseconds)
    return text.translate(_MARKUP)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
