"""The arguments of `joblake query`, and pipes that the shell closes."""

import os
import re
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from joblake.cli.options import LakeCommand
from joblake.errors import UsageError
from joblake.user_files import read_text

_PARAMETER = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # Python takes octets that are no text as these
_STDIN = "-"


class Format(StrEnum):
    """How `joblake query` writes its result."""

    table = "table"
    csv = "csv"
    json = "json"
    ndjson = "ndjson"
    parquet = "parquet"


_SUFFIXES = {".jsonl": Format.ndjson, ".txt": Format.table} | {f".{f}": f for f in Format}


class QuietPipes(TyperGroup):
    """The commands; the reader of their output may stop reading, as `head` does."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a closed pipe ends it quietly, with exit code 0."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered would raise the error once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return result


class SqlCommand(LakeCommand):
    """A command whose argument is SQL, which may begin with a comment: `-- latest jobs`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep a comment from being taken for an option: no option has blanks in its name."""
        options = {name for parameter in self.get_params(ctx) for name in parameter.opts}

        def is_comment(text: str) -> bool:
            return bool(re.match(r"--.*\s", text)) and text.partition("=")[0] not in options

        return super().parse_args(ctx, [f" {arg}" if is_comment(arg) else arg for arg in args])


def statement_of(sql: str | None, file: Path | None) -> str:
    """The SQL that was given: as an argument, in a file, or on stdin.

    `-` is stdin, and so is nothing at all where something is piped in. UsageError where there are
    two or none, or the file is no text.
    """
    if sql is not None and file is not None:
        raise UsageError("SQL is given twice, as an argument and with --file; leave one of them")
    if sql not in {None, _STDIN}:
        return str(sql)
    if file is not None and str(file) != _STDIN:
        return read_text(file)
    is_awaited = sql is not None or file is not None or not sys.stdin.isatty()
    try:
        statement = sys.stdin.read() if is_awaited else ""
    except UnicodeDecodeError:
        raise UsageError("cannot read stdin: it is no UTF-8 text") from None
    if not statement.strip():
        raise UsageError(
            'no SQL: give it as an argument, such as "from jobs", in --file, or on stdin'
        )
    return statement


def parameters_of(texts: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as the values of `$name` in the SQL."""
    parameters: dict[str, str] = {}
    for text in texts:
        match = _PARAMETER.fullmatch(text)
        if match is None:
            raise UsageError(f"--param {text!r}: expected name=value, for $name in the SQL")
        name, value = match.groups()
        if _SURROGATE.search(value):
            raise UsageError(f"--param {name}: the value is no UTF-8 text")
        if name in parameters:
            raise UsageError(f"--param {name} is given twice; a parameter has one value")
        parameters[name] = value
    return parameters


def format_of(output: Path | None) -> Format:
    """The format that the suffix of an output file names; a table where there is no file."""
    if output is None:
        return Format.table
    found = _SUFFIXES.get(output.suffix.lower())
    if found is None:
        known = ", ".join(_SUFFIXES)
        raise UsageError(
            f"--output {output}: its suffix names no format (known: {known}); add --format"
        )
    return found
