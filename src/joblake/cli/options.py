"""Commands whose options are settings: made of the fields of `Settings`, which declares each once.

The options are made when a command is parsed or explained, because `joblake --help` must not wait
for pydantic.
"""

import inspect
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_NO_OPTIONS = ("task_runner", "scope_retr", "source")
"""Settings whose names begin so stand in variables, the file and the flow's options alone."""


class ExportCommand(TyperCommand):
    """A command whose options are the settings of an export; its function has them in `ctx.obj`."""

    def takes(self, name: str) -> bool:
        """Whether a setting is an option of the command."""
        return not name.startswith(_NO_OPTIONS)

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The options that are settings, and --config, by their names."""
        from joblake.settings.settings import Settings

        fields = Settings.model_fields.items()
        return {
            option.name: option
            for option in _typer_options({n: field for n, field in fields if self.takes(n)})
        }

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters of the function, the settings, then --help."""
        *own, help_option = super().get_params(ctx)
        return [*own, *self.settings.values(), help_option]

    def invoke(self, ctx: Any) -> Any:
        """Run the command with the settings of the options, the environment and the file."""
        from joblake.settings.settings import load_settings

        ctx.obj = load_settings(**{name: ctx.params.pop(name) for name in self.settings})
        return super().invoke(ctx)


class LakeCommand(ExportCommand):
    """A command that has --lake alone of the settings."""

    def takes(self, name: str) -> bool:
        """Whether a setting is an option of the command."""
        return name == "lake"


def _typer_options(fields: Mapping[str, "FieldInfo"]) -> list[Any]:
    """The options that typer makes of a function whose parameters are the fields and `config`."""

    def function(**_: object) -> None:
        """Take every option."""

    annotations = {
        "config": Annotated[
            Path | None,
            typer.Option(help="TOML file of settings.  [default: joblake.toml where it exists]"),
        ],
        **{name: _annotation(name, field) for name, field in fields.items()},
    }
    keyword = partial(inspect.Parameter, kind=inspect.Parameter.KEYWORD_ONLY, default=None)
    parameters = [keyword(name, annotation=kind) for name, kind in annotations.items()]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app).params


def _annotation(name: str, field: "FieldInfo") -> Any:
    """The option of a field: a flag, a list or a text, which pydantic checks later."""
    from joblake.settings.settings import option_of, variable_of

    option, kind, default = option_of(name), _bare(field.annotation), field.default
    if kind is bool:
        no_option = option.replace("--", "--no-", 1)
        default, option = option if default else no_option, f"{option}/{no_option}"
    notes = [f"env: {variable_of(name)}"]
    if kind is tuple:
        notes.append("repeatable")
    if default not in (None, (), {}):
        notes.append(f"default: {default:.2g}" if kind is float else f"default: {default}")
    value: Any = bool if kind is bool else list[str] if kind is tuple else str
    metavar = f"<{kind.__name__}>" if kind in {int, float} else None
    text = f"{field.description}  [{'; '.join(notes)}]"
    return Annotated[value | None, typer.Option(option, help=text, metavar=metavar)]


def _bare(annotation: Any) -> Any:
    """The type of an annotation without pydantic's metadata and without None."""
    while get_origin(annotation) in {Annotated, Union, UnionType}:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) or annotation
