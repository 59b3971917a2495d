"""What a run is told: options, JOBLAKE_… variables and joblake.toml, in this order of precedence.

Three types, which pydantic checks, so that each setting exists once, under one name: `Settings`
(a run), `Account` (one `[[account]]`: whose credentials, and where) and `Override` (one
`[override.<table>]`: what differs for a table).

What stands in a nearer place goes before all of its name in a farther one, also before what the
file says of an account or a table: `--region` is where a run looks, whatever the file holds. A
mistake is named by the place and the key where it stands.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from joblake.errors import UsageError
from joblake.lake.local import DEFAULT_LAKE, DEFAULT_WORK_FOLDER, S3_SCHEME, Lake
from joblake.settings.origins import CONFIG_VARIABLE, PREFIX, Origin, merged, read_toml, variables
from joblake.settings.texts import (
    as_accounts,
    as_filters,
    as_mode,
    as_number,
    as_overrides,
    as_words,
)
from joblake.sources.catalogue import shipped_catalogue

CONFIG_FILE = "joblake.toml"
_GIVEN_LENGTH = 200
# pydantic speaks of Python's types, a file has none.
_EXPECTED = {
    "tuple_type": "expected a list",
    "string_type": "expected a text",
    "dict_type": "expected a table",
    "model_type": "expected a table",
}
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/\S+")


def account_of_role(role_arn: str) -> str:
    """The account that a role belongs to; ValueError for what is no role ARN."""
    match = _ROLE_ARN.fullmatch(role_arn)
    if match is None:
        raise ValueError(
            f"{role_arn!r} is no role ARN; expected arn:aws:iam::123456789012:role/NAME"
        )
    return match.group(1)


def _role(value: Any) -> Any:
    if isinstance(value, str):
        account_of_role(value)
    return value


def _table(value: Any) -> Any:
    try:
        return shipped_catalogue().named(value).table if isinstance(value, str) else value
    except UsageError as error:
        raise ValueError(str(error)) from None


def _folder(value: str) -> str:
    if not value.strip() or "://" in value or "\0" in value:
        raise ValueError("expected a local folder")
    return value


Folder = Annotated[str, AfterValidator(_folder)]
Words = Annotated[tuple[str, ...], BeforeValidator(as_words)]
Table = Annotated[str, BeforeValidator(_table)]
Tables = Annotated[tuple[Table, ...], BeforeValidator(as_words)]
Role = Annotated[str, BeforeValidator(_role)]
Roles = Annotated[tuple[Role, ...], BeforeValidator(as_words)]
Filters = Annotated[tuple[str, ...], BeforeValidator(as_filters)]
Count = Annotated[int, BeforeValidator(as_number)]
Amount = Annotated[float, BeforeValidator(as_number)]
Mode = Annotated[int, BeforeValidator(as_mode), BeforeValidator(as_number)]


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(_Checked):
    """One `[[account]]`: the default credentials, a profile's, or a role assumed with either.

    `region`, `table` and `parent` stand in place of those of the run. `account_id` is what
    the credentials must belong to. Where it is known (a role's always is), an account whose
    credentials fail is denied and the others go on.
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
    """One `[override.<table>]`: what stands in place of the run's settings for this table."""

    region: Words = ()
    filter: Filters = ()
    page_size: Count | None = Field(default=None, ge=1)
    max_items: Count | None = Field(default=None, ge=1)
    incremental: bool | None = None
    full_listing_days: Count | None = Field(default=None, ge=1, le=3650)


class Settings(_Checked):
    """Every setting of a run.

    A sequence is a list in TOML; as text it is a JSON array, one word a line, or words separated
    by commas. `filter` holds `name=value` texts and may be a table.
    """

    lake: str = DEFAULT_LAKE
    """A folder, or `s3://bucket/prefix`."""
    work_folder: Folder = DEFAULT_WORK_FOLDER
    """Where a lake on S3 keeps locks, copies of its objects and pages that are not merged yet."""
    account: Annotated[tuple[Account, ...], BeforeValidator(as_accounts)] = ()
    """The accounts to list; by default that of the default credentials."""
    role_arn: Roles = ()
    """Short for accounts that need no more than a role."""
    region: Words = ()
    """Names, patterns such as `us-*`, or `all`."""
    table: Tables = ()
    override: Annotated[dict[Table, Override], BeforeValidator(as_overrides)] = Field(
        default_factory=dict
    )
    """What differs for single tables."""
    parent: Words = ()
    filter: Filters = ()
    page_size: Count | None = Field(default=None, ge=1)
    max_items: Count | None = Field(default=None, ge=1)
    starting_token: str | None = None
    incremental: bool = False
    """Whether only what is new or may still change is listed, where a table can be filtered so."""
    full_listing_days: Count = Field(default=7, ge=1, le=3650)
    """How often everything is listed all the same: only that shows what is gone."""
    overlap_minutes: Amount = Field(default=60, ge=0, le=525_600)
    """How far an incremental listing reaches back, for clocks that differ and late arrivals."""

    max_workers: Count = Field(default=8, ge=1, le=64)
    """Scopes that are listed at once."""
    max_workers_per_region: Count = Field(default=4, ge=1, le=64)
    """Scopes of one account and region that are listed at once."""
    max_requests_per_second: Amount | None = Field(default=None, gt=0, le=1000)
    """Requests to one account and region; by default as many as AWS lets through."""
    max_attempts: Count = Field(default=5, ge=1, le=20)
    """How often one request is sent at most."""
    task_runner: Literal["threads", "dask"] = "threads"
    """What runs the tasks of the flow."""
    task_runner_address: str | None = Field(default=None, pattern=r"^(tcp|tls|ucx|wss?)://\S+$")
    """The scheduler of a Dask cluster; by default the flow starts one of its own."""
    scope_retries: Count = Field(default=2, ge=0)
    """How often the flow tries a scope again that did not end well."""
    scope_retry_seconds: Amount = Field(default=60, ge=0, le=86_400)
    """How long the flow waits before that, give or take half."""
    resume_minutes: Amount = Field(default=60, ge=0, le=525_600)
    """How old the pages of an interrupted listing may be for the next run to go on with them."""
    mass_vanish_share: Amount = Field(default=1 / 3, gt=0, le=1)
    """A complete listing that misses more than this share of a scope is held for confirmation."""
    store_sensitive: bool = True
    """Whether members that AWS marks as sensitive (`message`) are stored."""
    file_mode: Mode = 0o600
    """Permissions of the lake's files; in TOML `0o640`."""

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Every account to list: those of `account`, then those of `role_arn`."""
        roles = tuple(Account(role_arn=role_arn) for role_arn in self.role_arn)
        return (*self.account, *roles) or (Account(),)

    def for_table(self, table: str) -> "Settings":
        """The settings with what differs for a table in place."""
        override = self.override.get(table, Override())
        told = {name: getattr(override, name) for name in override.model_fields_set}
        return self.model_copy(update=told)

    def tables_of(self, account: Account) -> tuple[str, ...]:
        """The tables to list in an account."""
        return account.table or self.table or tuple(shipped_catalogue().default)

    def regions_of(self, account: Account, table: str) -> tuple[str, ...]:
        """Names and patterns of the regions of a table; none means the credentials' own region."""
        return self.override.get(table, Override()).region or account.region or self.region

    def parents_of(self, account: Account) -> tuple[str, ...]:
        """The parents to list in, of an account; none means all that their source lists."""
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
    path = Path(config) if config is not None else Path(CONFIG_FILE)
    toml = read_toml(path) if config is not None or path.exists() else {}
    given = {name: value for name, value in options.items() if value not in (None, (), [])}
    origins = [
        Origin(given, "option", lambda key: "--" + key.replace("_", "-")),
        Origin(variables(), "variable", lambda key: PREFIX + key.upper()),
        Origin(toml, "key", str, prefix=f"{path}: "),
    ]
    origins = [_structured(origin) for origin in origins]
    try:
        return Settings.model_validate(merged(origins))
    except ValidationError as error:
        raise UsageError(_first_problem(error, origins)) from None


def _structured(origin: Origin) -> Origin:
    """An origin with known keys alone, and with its accounts and overrides out of their texts."""
    values = dict(origin.values)
    for key in values:
        if key not in Settings.model_fields:
            known = ", ".join(map(origin.spelled, Settings.model_fields))
            raise UsageError(
                f"{origin.prefix}unknown {origin.kind} {origin.spelled(key)!r}; "
                f"{origin.kind}s are: {known}"
            )
    for key, parse in (("account", as_accounts), ("override", as_overrides)):
        if key in values:
            try:
                values[key] = parse(values[key])
            except ValueError as error:
                raise UsageError(f"{origin.named([key])}: {error}") from None
    return replace(origin, values=values)


def _first_problem(error: ValidationError, origins: Sequence[Origin]) -> str:
    problem = error.errors(include_url=False)[0]
    steps = [step for step in problem["loc"] if step != "[key]"]
    # Of sequences only that of the accounts is counted, from 1; the rest are words that show
    # themselves.
    path = [
        str(step + 1) if isinstance(step, int) else step
        for number, step in enumerate(steps)
        if not isinstance(step, int) or steps[number - 1] == "account"
    ]
    told = path if path[0] == "override" else path[:1]
    origin = next(origin for origin in origins if origin.tells(told))
    if problem["type"] == "extra_forbidden":
        known = (Account if path[0] == "account" else Override).model_fields
        return f"{origin.named(path)}: unknown key; keys are: {', '.join(known)}"
    message = _EXPECTED.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    if problem["type"] != "value_error":
        message = message[0].lower() + message[1:]
    given = repr(problem["input"])
    return f"{origin.named(path)}: {message} (given: {given[:_GIVEN_LENGTH]})"
