"""What a run is told: options, JOBLAKE_… variables and joblake.toml, in this order of precedence.

pydantic-settings reads and checks them, so that each option exists once, under one name.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from joblake.errors import UsageError
from joblake.lake import DEFAULT_LAKE

CONFIG_FILE = "joblake.toml"
_TOML = "_toml"

Words = Annotated[tuple[str, ...], NoDecode]


class Settings(BaseSettings):
    """Every setting of an export; the first group stands on the command line too.

    Sequences are lists in TOML and separated by commas in the environment. `filter` holds
    `name=value` texts; in TOML it may be a table.
    """

    model_config = SettingsConfigDict(env_prefix="JOBLAKE_", extra="forbid", frozen=True)

    lake: str = DEFAULT_LAKE
    table: Words = ()
    region: Words = ()
    role_arn: Words = ()
    membership: Words = ()
    filter: Words = ()
    page_size: int | None = Field(default=None, ge=1)
    max_items: int | None = Field(default=None, ge=1)
    starting_token: str | None = None

    max_workers: int = Field(default=4, ge=1, le=64)
    """Scopes that are listed at once."""
    max_attempts: int = Field(default=5, ge=1, le=20)
    """How often one request is sent at most."""
    scope_retries: int = Field(default=2, ge=0)
    """How often the flow tries a scope again that did not end well."""
    scope_retry_seconds: float = Field(default=60, ge=0, le=86_400)
    """How long the flow waits before that, give or take half."""
    resume_minutes: float = Field(default=60, ge=0, le=525_600)
    """How old the pages of an interrupted listing may be for the next run to go on with them."""
    mass_vanish_share: float = Field(default=1 / 3, gt=0, le=1)
    """A complete listing that misses more than this share of a scope is held for confirmation."""
    store_sensitive: bool = True
    """Whether members that AWS marks as sensitive (`message`) are stored."""
    file_mode: int = Field(default=0o600, ge=0o600, le=0o777)
    """Permissions of the lake's files; in TOML `0o640`."""

    @field_validator("table", "region", "role_arn", "membership", "filter", mode="before")
    @classmethod
    def _as_words(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        if isinstance(value, dict):
            return tuple(f"{name}={_text(item)}" for name, item in value.items())
        return value

    @field_validator("file_mode", mode="before")
    @classmethod
    def _as_mode(cls, value: Any) -> Any:
        return int(value, 8) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options first, then the environment, then the TOML file handed in as `_toml`."""
        del dotenv_settings, file_secret_settings
        options = dict(init_settings())
        from_file = options.pop(_TOML, {})
        return (
            InitSettingsSource(settings_cls, init_kwargs=options),
            env_settings,
            InitSettingsSource(settings_cls, init_kwargs=from_file),
        )


def load_settings(config: str | Path | None = None, **options: Any) -> Settings:
    """The settings of a run from given options, the environment and a TOML file.

    Without `config`, joblake.toml of the working directory is read where it exists. Options that
    are None or empty count as not given. UsageError names the file and key that are wrong.
    """
    config = config or os.environ.get("JOBLAKE_CONFIG")
    path = Path(config) if config is not None else Path(CONFIG_FILE)
    toml = _read_toml(path) if config is not None or path.exists() else {}
    given = {name: value for name, value in options.items() if value not in (None, (), [])}
    everything: dict[str, Any] = {**given, _TOML: toml}
    try:
        return Settings(**everything)
    except ValidationError as error:
        raise UsageError(_first_problem(error, path, toml, given)) from None


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise UsageError(f"cannot read {path}: {reason}") from None


def _first_problem(
    error: ValidationError, path: Path, toml: dict[str, Any], given: dict[str, Any]
) -> str:
    problem = error.errors(include_url=False)[0]
    key = str(problem["loc"][0]) if problem["loc"] else "settings"
    if problem["type"] == "extra_forbidden":
        known = ", ".join(Settings.model_fields)
        return f"{path}: unknown key {key!r}; keys are: {known}"
    if key in given:
        where = f"--{key.replace('_', '-')}"
    else:
        where = f"{path}: {key}" if key in toml else f"JOBLAKE_{key.upper()}"
    return f"{where}: {problem['msg'].lower()} (given: {problem['input']!r})"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
