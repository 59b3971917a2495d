"""One HTML file that needs no other: figures, scripts and style inside.

Names of jobs are other people's text. They reach the page as JSON in which no character means
anything to HTML, and the scripts put them into the page as text alone. Should one get through all
the same, the content security policy runs no script but the page's own, known by their hashes,
and reaches no network.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

from joblake.report.figures import Figures

_FOLDER = Path(__file__).parent
_VEGA = ("vega/vega.min.js", "vega/vega-lite.min.js")
_OWN = ("figures", "charts", "elements", "night", "jobs", "times", "lineage", "page")
_MARKUP = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def render_page(figures: Figures) -> str:
    """The page as one text of HTML."""
    own = "\n".join(_file(f"static/{name}.js") for name in _OWN)
    scripts = [*map(_file, _VEGA), f'"use strict";\n{own}']
    return Template(_file("static/page.html")).substitute(
        title=_title(figures),
        policy=_policy(scripts),
        style=_file("static/page.css"),
        data=_json(_data(figures)),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _title(figures: Figures) -> str:
    as_of = figures.as_of
    return "joblake report" if as_of is None else f"joblake report, {as_of.day} {as_of:%B %Y}"


def _policy(scripts: Iterable[str]) -> str:
    """What the page may do: run these scripts, and Vega the expressions that it compiles."""
    hashes = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed} 'unsafe-eval'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _data(figures: Figures) -> dict[str, Any]:
    return {
        "version": version("joblake"),
        "made_at": figures.made_at,
        "as_of": figures.as_of,
        "job_count": figures.job_count,
        "first_created_at": figures.first_created_at,
        "period": figures.period,
        "folded_account_count": figures.folded_account_count,
        "tables": figures.tables,
    }


def _json(value: dict[str, Any]) -> str:
    """JSON that stands safely in HTML: ASCII, without any character of markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False, default=_milliseconds)
    return text.translate(_MARKUP)


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _file(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
