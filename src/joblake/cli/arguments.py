"""What the shell hands to the command line beside plain options: SQL, parameters, closed pipes."""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from joblake.cli.options import LakeCommand
from joblake.errors import UsageError

_PARAMETER = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.*)", re.DOTALL)
_STDIN = "-"
_FORMATS = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "ndjson",
    ".ndjson": "ndjson",
    ".parquet": "parquet",
    ".txt": "table",
}


class QuietPipes(TyperGroup):
    """Commands whose reader may stop reading, as `head` does, which is no error."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a pipe that nobody reads any more ends it quietly."""
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
        comments = [
            argument.startswith("--")
            and any(letter.isspace() for letter in argument)
            and argument.partition("=")[0] not in options
            for argument in args
        ]
        sheltered = [
            f" {argument}" if is_comment else argument
            for argument, is_comment in zip(args, comments, strict=True)
        ]
        return super().parse_args(ctx, sheltered)


def statement_of(sql: str | None, file: Path | None) -> str:
    """The SQL that was given: as an argument, in a file, or on stdin.

    `-` is stdin, and so is nothing at all where something is piped in. UsageError where there are
    two or none, or the file is no text.
    """
    if sql is not None and file is not None:
        raise UsageError("SQL is given twice, as an argument and with --file; leave one of them")
    if file is not None and str(file) != _STDIN:
        try:
            return file.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise UsageError(f"cannot read {file}: {reason}") from None
    if sql is not None and sql != _STDIN:
        return sql
    if sql is None and file is None and sys.stdin.isatty():
        raise UsageError(
            'no SQL: give it as an argument, such as "from jobs", in --file, or on stdin'
        )
    try:
        statement = sys.stdin.read()
    except UnicodeDecodeError:
        raise UsageError("cannot read stdin: it is no UTF-8 text") from None
    if not statement.strip():
        raise UsageError(
            'no SQL on stdin; give it there, in --file, or as an argument, such as "from jobs"'
        )
    return statement


def parameters_of(texts: Sequence[str]) -> dict[str, str]:
    """`name=value` texts as the values of `$name` in the SQL."""
    parameters: dict[str, str] = {}
    for text in texts:
        match = _PARAMETER.fullmatch(text)
        if match is None:
            raise UsageError(f"--param {text!r}: expected name=value, for $name in the SQL")
        if not _is_text(text):
            raise UsageError(f"--param {match['name']}: the value is no UTF-8 text")
        if match["name"] in parameters:
            raise UsageError(f"--param {match['name']} is given twice; a parameter has one value")
        parameters[match["name"]] = match["value"]
    return parameters


def _is_text(text: str) -> bool:
    """Whether it is no more than text: Python takes other octets of the shell's as surrogates."""
    return text.isascii() or not re.search(r"[\ud800-\udfff]", text)


def format_of(output: Path | None) -> str:
    """The format that the name of an output file asks for; a table where there is no file."""
    if output is None:
        return "table"
    try:
        return _FORMATS[output.suffix.lower()]
    except KeyError:
        known = ", ".join(_FORMATS)
        raise UsageError(
            f"--output {output}: its suffix names no format (known: {known}); add --format"
        ) from None
