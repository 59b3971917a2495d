"""Headers and statements as the files of `sql/` have them."""

import textwrap
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from joblake.quoting import literal


def view_header(
    description: str,
    grain: str,
    key: Iterable[str],
    columns: Iterable[str],
    descriptions: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The header of a view, with the descriptions of columns that `columns.toml` lacks."""
    told = "".join(f"--   {name}: {text}\n" for name, text in descriptions.items())
    return (
        _heading("description", description)
        + _heading("grain", grain)
        + _heading("key", ", ".join(key))
        + _heading("columns", ", ".join(columns))
        + told
    )


def macro_header(description: str, grain: str, parameters: str, signature: str) -> str:
    """The header of a macro, and the first line of its statement."""
    return (
        _heading("description", description)
        + _heading("grain", grain)
        + _heading("parameters", parameters)
        + f"create macro {signature}\n"
    )


def _heading(name: str, text: str) -> str:
    lines = textwrap.wrap(
        f"-- {name}: {text}", 100, subsequent_indent="--   ", break_long_words=False
    )
    return "".join(f"{line}\n" for line in lines)


def select(columns: Mapping[str, str], rows: str) -> str:
    """A select of one column a line: the expression of each by its name."""
    named = ",\n".join(
        f"    {name}" if expression == name else f"    {expression} as {name}"
        for name, expression in columns.items()
    )
    return f"select\n{named}\nfrom {rows}\n"


def union_all(selects: Iterable[str]) -> str:
    """The rows of all selects."""
    return "\nunion all\n\n".join(selects)


def call(macro: str, arguments: Iterable[str]) -> str:
    """The call of a table macro, one argument a line."""
    given = ",\n".join(f"    {argument}" for argument in arguments)
    return f"{macro}(\n{given}\n)"


def values(texts: Iterable[str]) -> str:
    """The right side of `in`."""
    return f"({', '.join(map(literal, texts))})"


def cases(value_by_table: Mapping[str, str], otherwise: str) -> str:
    """A value for each table, and one for all others."""
    if not value_by_table:
        return f"{otherwise}\n"
    whens = "".join(
        f"    when {literal(key)} then {value}\n" for key, value in value_by_table.items()
    )
    return f"case table_name\n{whens}    else {otherwise}\nend\n"
