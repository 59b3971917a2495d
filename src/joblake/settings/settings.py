"""Every setting, declared once: its name, kind, bounds, default and description.

The options of the command line and of the flow, the JOBLAKE_… variables and the keys of
joblake.toml are the fields of `Settings`. Options go before variables, and variables before the
file. A setting of an account or a table goes before that of the run, wherever either stands. A
mistake is named by the option, variable or key where it stands.
"""

import os
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

# pydantic-settings would replace the dozen lines that read variables and merge three dicts, and
# would cost each command 0.15 s for importing argparse, asyncio and ssl.
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from joblake.errors import UsageError
from joblake.lake.layout import S3_SCHEME
from joblake.lake.local import Lake
from joblake.settings.kinds import (
    Amount,
    Count,
    Days,
    Filters,
    Folder,
    Items,
    Json,
    Minutes,
    Mode,
    Positive,
    Role,
    Roles,
    Table,
    Tables,
    Words,
    Workers,
    account_of_role,
    from_text,
)
from joblake.sources.catalogue import Catalogue, read_catalogue, shipped_catalogue
from joblake.user_files import read_text

CONFIG_FILE = "joblake.toml"
DEFAULT_LAKE = "data/lake"
DEFAULT_WORK_FOLDER = "data/s3"
_PREFIX = "JOBLAKE_"
CONFIG_VARIABLE = f"{_PREFIX}CONFIG"
_ACCOUNTS = frozenset({"account", "role_arn"})
"""The settings that say which accounts are listed: one in a nearer place replaces both."""
_GIVEN_LENGTH = 200
# pydantic speaks of Python's types, a file has none.
_EXPECTED = {
    "tuple_type": "expected a list",
    "string_type": "expected a text",
    "dict_type": "expected a table",
    "model_type": "expected a table",
}


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Account(_Checked):
    """One `[[account]]`: the default credentials, a profile's, or a role assumed with either.

    `region`, `table` and `parent` replace those of the run. `account_id` is the account that the
    credentials must belong to. Where it is known (a role's always is), an account whose credentials
    fail is denied and the others go on.
    """

    profile: str | None = Field(default=None, min_length=1)
    role_arn: Role | None = None
    external_id: str | None = Field(
        default=None, min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]*$"
    )
    session_name: str = Field(default="joblake", pattern=r"^[A-Za-z0-9_+=,.@-]{2,64}$")
    account_id: str | None = Field(default=None, pattern=r"^[0-9]{12}$")
    region: Words = ()
    table: Tables = ()
    parent: Words = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.role_arn is None and {"external_id", "session_name"} & self.model_fields_set:
            raise ValueError("external_id and session_name need a role_arn")
        if self.role_arn is not None and self.account_id is not None:
            owner = account_of_role(self.role_arn)
            if owner != self.account_id:
                raise ValueError(f"the role is of account {owner}, not of {self.account_id}")
        return self


class Override(_Checked):
    """One `[override.<table>]`: the settings that replace the run's for this table."""

    region: Words = ()
    filter: Filters = ()
    page_size: Positive | None = None
    max_items: Positive | None = None
    incremental: bool | None = None
    full_listing_days: Days | None = None


class Settings(_Checked):
    """Every setting of a run; the text below a field is its description for users."""

    lake: str = DEFAULT_LAKE
    """The lake: a folder or s3://bucket/prefix."""
    account: Annotated[tuple[Annotated[Account, Json], ...], Items] = ()
    """Account to list, as JSON with the keys of [[account]]: '{"profile": "audit"}', or '{}' for
    the default credentials."""
    role_arn: Roles = ()
    """Role whose account is listed, short for an account that needs no more."""
    region: Words = ()
    """Region, a pattern such as us-*, or all; by default that of AWS_REGION."""
    table: Tables = ()
    """Table to export; by default all."""
    override: Annotated[dict[Table, Override], Json] = {}
    """What differs for single tables, as JSON with the keys of [override.<table>]:
    '{"custom_models": {"page_size": 50}}'."""
    source: Annotated[dict[str, dict[str, Any]], Json] = {}
    """Sources of your own, as JSON with the keys of [source.<table>]."""
    parent: Words = ()
    """Parent to list in, such as a Clean Rooms membership; by default all."""
    filter: Filters = ()
    """Request parameter of the operation, such as statusEquals=Completed."""
    page_size: Positive | None = None
    """Items per request; by default the operation's maximum."""
    max_items: Positive | None = None
    """Stop after so many items."""
    starting_token: str | None = None
    """Go on where --max-items stopped."""
    incremental: bool = False
    """List only what is new or may still change, where a table can be filtered so; never tells what
    is gone."""
    full_listing_days: Days = 7
    """List everything so often all the same."""
    overlap_minutes: Minutes = 60
    """How far an incremental listing reaches back."""
    max_workers: Workers = 8
    """Scopes listed at once."""
    max_workers_per_region: Workers = 4
    """Scopes of one account and region listed at once."""
    max_requests_per_second: Amount | None = Field(default=None, gt=0, le=1000)
    """Requests to one account and region; by default what AWS lets through."""
    max_attempts: Count = Field(default=5, ge=1, le=20)
    """How often a request is sent at most."""
    resume_minutes: Minutes = 60
    """Age up to which the next run resumes an interrupted listing."""
    mass_vanish_share: Amount = Field(default=1 / 3, gt=0, le=1)
    """Hold a complete listing that misses more than this share of a scope."""
    store_sensitive: bool = True
    """Store members that AWS marks as sensitive."""
    work_folder: Folder = DEFAULT_WORK_FOLDER
    """Local folder of a lake on S3: locks, copies, unmerged pages."""
    file_mode: Mode = Field(default="600", validate_default=True)
    """Permissions of the lake's files, in octal digits."""
    task_runner: Literal["threads", "dask"] = "threads"
    """What runs the tasks of the flow."""
    task_runner_address: str | None = Field(default=None, pattern=r"^(tcp|tls|ucx|wss?)://\S+$")
    """Scheduler of a Dask cluster; by default the flow starts one of its own."""
    scope_retries: Count = Field(default=2, ge=0)
    """How often the flow tries a scope again that did not end well."""
    scope_retry_seconds: Amount = Field(default=60, ge=0, le=86_400)
    """How long the flow waits before that, give or take half."""

    @cached_property
    def catalogue(self) -> Catalogue:
        """The shipped sources and those that are declared."""
        return _catalogue_of(self.source)

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """Every account to list: those of `account`, then those of `role_arn`."""
        roles = tuple(Account(role_arn=role_arn) for role_arn in self.role_arn)
        return (*self.account, *roles) or (Account(),)

    @cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables that are asked for in any account, each once."""
        return tuple(dict.fromkeys(t for a in self.accounts for t in self.tables_of(a)))

    def for_table(self, table: str) -> "Settings":
        """The settings of one table, whose override replaces those of the run.

        Filters and limits of the run leave the parent of a table alone, unless it is asked for too:
        it is listed whole.
        """
        override = self.override.get(table, Override())
        told: dict[str, Any] = {}
        if table not in self.tables:
            told = {"filter": (), "page_size": None, "max_items": None, "starting_token": None}
        told |= {name: getattr(override, name) for name in override.model_fields_set}
        return self.model_copy(update=told)

    def tables_of(self, account: Account) -> tuple[str, ...]:
        """The tables to list in an account."""
        return account.table or self.table or tuple(self.catalogue.default)

    def regions_of(self, account: Account, table: str) -> tuple[str, ...]:
        """Names and patterns of a table's regions; without any, the credentials' region counts."""
        return self.override.get(table, Override()).region or account.region or self.region

    def parents_of(self, account: Account) -> tuple[str, ...]:
        """The parents to list in, in an account; without any, all that their source lists count."""
        return account.parent or self.parent


def lake_of(settings: Settings) -> Lake:
    """The lake that the settings name."""
    return lake_at(settings.lake, file_mode=settings.file_mode, work_folder=settings.work_folder)


def lake_at(
    location: str | Path, *, file_mode: int = 0o600, work_folder: str = DEFAULT_WORK_FOLDER
) -> Lake:
    """The lake in a local folder or at s3://bucket/prefix, which may not exist yet.

    UsageError where it cannot be a lake, LakeError where the disk does not say, CredentialsError
    where boto3 cannot make a client for S3.
    """
    if not str(location).startswith(S3_SCHEME):
        return Lake.at(location, file_mode=file_mode)
    from joblake.lake.s3 import S3Lake

    return S3Lake.of(str(location), file_mode=file_mode, work_folder=Path(work_folder))


def load_settings(config: str | Path | None = None, **options: Any) -> Settings:
    """The settings of a run from given options, the environment and a TOML file.

    Without `config`, joblake.toml of the working directory is read where it exists. Options that
    are None or empty count as not given. UsageError names the place and the key that are wrong.
    """
    config = config or os.environ.get(CONFIG_VARIABLE)
    path = Path(config or CONFIG_FILE)
    told: dict[str, Any] = {}
    spellings: dict[str, str] = {}
    given = {key: value for key, value in options.items() if value not in (None, (), [])}
    for values, spelling in (
        (_read_toml(path) if config or path.exists() else {}, lambda key: f"{path}: {key}"),
        (_variables(), variable_of),
        (given, option_of),
    ):
        for key in values:
            if key not in Settings.model_fields:
                known = ", ".join(Settings.model_fields)
                raise UsageError(f"{spelling(key)}: unknown setting; settings are: {known}")
        if values.keys() & _ACCOUNTS:
            told = {key: value for key, value in told.items() if key not in _ACCOUNTS}
        told |= values
        spellings |= {key: spelling(key) for key in values}
    catalogue = _declared_catalogue(told.get("source"), spellings)
    try:
        return Settings.model_validate(told, context=catalogue)
    except ValidationError as error:
        raise UsageError(_first_problem(error, spellings)) from None


def _declared_catalogue(declarations: Any, spellings: Mapping[str, str]) -> Catalogue:
    """The catalogue whose tables settings name; pydantic refuses declarations of another type."""
    try:
        declarations = from_text(declarations)
        return _catalogue_of(declarations if isinstance(declarations, Mapping) else {})
    except ValueError:
        return shipped_catalogue()
    except UsageError as error:
        raise UsageError(f"{spellings['source']}.{str(error).removeprefix('source ')}") from None


def _catalogue_of(declarations: Mapping[str, Any]) -> Catalogue:
    """The shipped sources and declared ones, checked by botocore's service models."""
    shipped = shipped_catalogue()
    if not declarations:
        return shipped
    catalogue = read_catalogue(declarations, shipped=shipped)
    from joblake.sources.check import check_members  # botocore is of use to declared sources alone

    check_members(catalogue)
    return catalogue


def option_of(key: str) -> str:
    """A setting as an option: `--page-size`."""
    return f"--{key.replace('_', '-')}"


def variable_of(key: str) -> str:
    """A setting as a variable: `JOBLAKE_PAGE_SIZE`."""
    return f"{_PREFIX}{key.upper()}"


def _variables() -> dict[str, str]:
    return {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(_PREFIX) and name != CONFIG_VARIABLE
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None


def _first_problem(error: ValidationError, spellings: Mapping[str, str]) -> str:
    """The first mistake in one line: `joblake.toml: account.2.role_arn: 'x' is no role ARN …`."""
    problem = error.errors(include_url=False)[0]
    setting, *steps = (step for step in problem["loc"] if step != "[key]")
    while steps and isinstance(steps[-1], int):
        steps.pop()  # a word shows itself, whichever of its list it is
    path = [str(step + 1) if isinstance(step, int) else step for step in steps]
    name = ".".join([spellings[str(setting)], *path])
    if problem["type"] == "extra_forbidden":
        known = (Account if setting == "account" else Override).model_fields
        return f"{name}: unknown key; keys are: {', '.join(known)}"
    message = _EXPECTED.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if problem["type"] != "value_error":
        message = message[0].lower() + message[1:]
    return f"{name}: {message} (given: {problem['input']!r:.{_GIVEN_LENGTH}})"
