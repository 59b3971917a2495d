"""Settings come from options, environment and joblake.toml; each mistake is named by its place."""

import json
from pathlib import Path

import pytest

from joblake.errors import UsageError
from joblake.settings.settings import Account, Override, Settings, load_settings

ROLE = "arn:aws:iam::444455556666:role/reader"
OTHER_ROLE = "arn:aws:iam::777788889999:role/reader"

# A setting of each kind: its default, and three spellings of three different values.
KINDS = [
    # name, default, as an option, in the environment (and as read), in TOML (and as read)
    ("lake", "data/lake", "from-option", ("from-env", "from-env"), ('"from-toml"', "from-toml")),
    (
        "region",
        (),
        ("eu-west-1",),
        ("us-east-1", ("us-east-1",)),
        ('["us-west-2"]', ("us-west-2",)),
    ),
    ("filter", (), ("a=1",), ("b=2", ("b=2",)), ("{ c = 3 }", ("c=3",))),
    (
        "account",
        (),
        (Account(profile="a"),),
        ('{"profile": "b"}', (Account(profile="b"),)),
        ('[{ profile = "c" }]', (Account(profile="c"),)),
    ),
    ("role_arn", (), (ROLE,), (OTHER_ROLE, (OTHER_ROLE,)), (f'["{ROLE}"]', (ROLE,))),
    ("table", (), ("custom_models",), ("", ()), ('["custom_models"]', ("custom_models",))),
    ("page_size", None, 1, ("2", 2), ("3", 3)),
    ("max_workers", 8, 1, ("2", 2), ("3", 3)),
    ("mass_vanish_share", 1 / 3, 0.1, ("0.2", 0.2), ("0.3", 0.3)),
    ("resume_minutes", 60, 1.5, ("0", 0), ("3", 3)),
    ("store_sensitive", True, False, ("true", True), ("false", False)),
    ("starting_token", None, "option", ("env", "env"), ('"toml"', "toml")),
    ("file_mode", 0o600, 0o644, ("640", 0o640), ("0o660", 0o660)),
]


def write_toml(text: str, name: str = "joblake.toml") -> Path:
    """A TOML file in the working directory, which is the test's own."""
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def refusal(config: Path | None = None, **options: object) -> str:
    """The one line that wrong settings are refused with."""
    with pytest.raises(UsageError) as caught:
        load_settings(config, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind[0])
def test_options_go_before_environment_before_toml_before_default(monkeypatch, kind):
    """An option hides a variable, a variable the file, and the file the default."""
    name, default, option, environment, toml = kind
    assert getattr(load_settings(), name) == default
    write_toml(f"{name} = {toml[0]}\n")
    assert getattr(load_settings(), name) == toml[1]
    monkeypatch.setenv(f"JOBLAKE_{name.upper()}", environment[0])
    assert getattr(load_settings(), name) == environment[1]
    assert getattr(load_settings(**{name: option}), name) == option


@pytest.mark.parametrize("name", Settings.model_fields)
@pytest.mark.parametrize("absent", [None, (), []])
def test_options_that_are_not_given_hide_nothing(name, absent):
    """An absent option leaves the setting to the other places."""
    assert getattr(load_settings(**{name: absent}), name) == getattr(load_settings(), name)


def test_settings_of_different_places_come_together():
    """A key of the file counts beside an option of another name."""
    write_toml('lake = "from-toml"\nmax_items = 5\n')
    settings = load_settings(max_items=6)
    assert (settings.lake, settings.max_items) == ("from-toml", 6)


def test_a_named_file_is_read_instead_of_joblake_toml():
    """--config names the one file that is read."""
    write_toml('lake = "default-file"\nmax_items = 5\n')
    other = write_toml('lake = "other-file"\n', "other.toml")
    settings = load_settings(other)
    assert (settings.lake, settings.max_items) == ("other-file", None)


def test_sequences_are_separated_by_commas_in_the_environment(monkeypatch):
    """Blanks and empty words between the commas do not count."""
    monkeypatch.setenv("JOBLAKE_REGION", " us-east-1, eu-west-1 ,,")
    monkeypatch.setenv("JOBLAKE_TABLE", "")
    settings = load_settings()
    assert settings.region == ("us-east-1", "eu-west-1")
    assert settings.table == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["nameContains=a,b", "c=d"]', ("nameContains=a,b", "c=d")),
        ('{"nameContains": "a,b", "isOwned": true}', ("nameContains=a,b", "isOwned=true")),
        ("a=b,c=d", ("a=b", "c=d")),
    ],
)
def test_a_variable_may_hold_commas_within_words(monkeypatch, text, words):
    """As JSON; otherwise commas separate."""
    monkeypatch.setenv("JOBLAKE_FILTER", text)
    assert load_settings().filter == words


def test_an_unknown_variable_is_named():
    """A misspelt variable is no silent default, as a misspelt key is none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBLAKE_MAX_WORKER", "2")
        message = refusal()
    assert message.startswith("JOBLAKE_MAX_WORKER: unknown setting; settings are: lake, ")
    assert "max_workers" in message


# --- accounts and overrides ------------------------------------------------------------------

ACCOUNTS = (
    Account(),
    Account(profile="my audit", region=("us-*", "eu-west-1"), account_id="111122223333"),
    Account(role_arn=ROLE, external_id="a,b=c", session_name="night", table=("custom_models",)),
)
WRITTEN = {
    "toml": f"""
[[account]]

[[account]]
profile = "my audit"
region = ["us-*", "eu-west-1"]
account_id = "111122223333"

[[account]]
role_arn = "{ROLE}"
external_id = "a,b=c"
session_name = "night"
table = ["custom_models"]
""",
    "JSON": f"""[{{}},
    {{"profile": "my audit", "region": "us-*,eu-west-1", "account_id": "111122223333"}},
    {{"role_arn": "{ROLE}", "external_id": "a,b=c", "session_name": "night",
      "table": ["custom_models"]}}]""",
}


@pytest.mark.parametrize("place", WRITTEN)
def test_accounts_can_be_written_in_every_place(monkeypatch, place):
    """TOML tables, a JSON array and repeated options of JSON objects say the same."""
    if place == "toml":
        write_toml(WRITTEN[place])
    else:
        monkeypatch.setenv("JOBLAKE_ACCOUNT", WRITTEN[place])
    assert load_settings().accounts == ACCOUNTS
    options = [json.dumps(account) for account in json.loads(WRITTEN["JSON"])]
    assert load_settings(account=options).accounts == ACCOUNTS


def test_a_variable_may_hold_one_account(monkeypatch):
    """One JSON object is one account."""
    monkeypatch.setenv("JOBLAKE_ACCOUNT", ' {"profile": "a"}')
    assert load_settings().accounts == (Account(profile="a"),)


def test_without_accounts_the_default_credentials_are_listed():
    """Roles alone are accounts too, and stand after those that are written out."""
    assert load_settings().accounts == (Account(),)
    assert load_settings(role_arn=[ROLE]).accounts == (Account(role_arn=ROLE),)
    both = load_settings(role_arn=[ROLE], account=[{"profile": "a"}]).accounts
    assert both == (Account(profile="a"), Account(role_arn=ROLE))


def test_overrides_say_what_differs_for_a_table(monkeypatch):
    """As TOML tables and as JSON; the nearest place that has any replaces the others."""
    write_toml("[override.custom_models]\npage_size = 1\nfilter = { isOwned = true }\n")
    told = load_settings().for_table("custom_models")
    assert (told.page_size, told.filter) == (1, ("isOwned=true",))
    monkeypatch.setenv("JOBLAKE_OVERRIDE", '{"model_customization_jobs": {"filter": "a=b,c=d"}}')
    settings = load_settings()
    assert settings.override == {
        "model_customization_jobs": Override(filter=("a=b", "c=d")),
    }
    assert settings.for_table("trained_model_inference_jobs") == settings
    settings = load_settings(override='{"custom_models": {"page_size": 3}}')
    assert settings.override == {"custom_models": Override(page_size=3)}


NEARER = """
region = ["us-east-1"]
table = ["custom_models"]

[[account]]
profile = "audit"
region = ["us-west-2"]
table = ["model_invocation_jobs"]

[override.model_invocation_jobs]
region = ["eu-west-1"]
page_size = 7
"""


def test_within_a_file_what_is_more_special_counts():
    """A table's word goes before its account's, and that before the run's."""
    write_toml(NEARER)
    settings = load_settings()
    (account,) = settings.accounts
    assert settings.tables_of(account) == ("model_invocation_jobs",)
    assert settings.regions_of(account, "model_invocation_jobs") == ("eu-west-1",)
    assert settings.regions_of(account, "custom_models") == ("us-west-2",)
    assert settings.for_table("model_invocation_jobs").page_size == 7


def test_what_is_more_special_counts_wherever_the_run_s_is_told(monkeypatch):
    """--region and --table are those of accounts and tables that have none of their own."""
    write_toml(NEARER)
    monkeypatch.setenv("JOBLAKE_TABLE", "custom_models")
    settings = load_settings(region=["ap-south-1"], page_size=5)
    (account,) = settings.accounts
    assert settings.tables_of(account) == ("model_invocation_jobs",)
    assert settings.tables_of(Account()) == ("custom_models",)
    assert settings.regions_of(account, "model_invocation_jobs") == ("eu-west-1",)
    assert settings.regions_of(Account(), "custom_models") == ("ap-south-1",)
    assert settings.for_table("model_invocation_jobs").page_size == 7
    assert settings.page_size == 5


@pytest.mark.parametrize("option", [{"role_arn": [ROLE]}, {"account": [{"role_arn": ROLE}]}])
def test_accounts_of_a_nearer_place_stand_in_place_of_all_others(monkeypatch, option):
    """Accounts on the command line replace those of every other place."""
    write_toml(NEARER)
    monkeypatch.setenv("JOBLAKE_ROLE_ARN", OTHER_ROLE)
    assert load_settings(**option).accounts == (Account(role_arn=ROLE),)
    assert load_settings().accounts == (Account(role_arn=OTHER_ROLE),)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[[account]]\n[[account]]\nrole_arn = 'x'", "account.2.role_arn: 'x' is no role ARN"),
        ("[[account]]\nprofile = 5", "account.1.profile: expected a text (given: 5)"),
        ("[[account]]\nrole = 'x'", "account.1.role: unknown key; keys are: profile, role_arn"),
        ("[[account]]\nexternal_id = 'x y'\nrole_arn = 'ROLE'", "account.1.external_id: "),
        ("[[account]]\nexternal_id = 'abc'", "account: external_id and session_name need a"),
        ("[[account]]\naccount_id = '1'", "account.1.account_id: "),
        (
            "[[account]]\naccount_id = '111122223333'\nrole_arn = 'ROLE'",
            "account: the role is of account 444455556666, not of 111122223333",
        ),
        ("[[account]]\ntable = ['jobs']", "account.1.table: unknown table 'jobs'; tables are: "),
        ("account = [5]", "account: expected a table (given: 5)"),
        ("[override.jobs]\npage_size = 5", "override.jobs: unknown table 'jobs'; tables are: "),
        ("[override.custom_models]\nsize = 5", "override.custom_models.size: unknown key; keys"),
        ("[override.custom_models]\npage_size = 0", "override.custom_models.page_size: input"),
        ("[override]\ncustom_models = 5", "override.custom_models: expected a table (given: 5)"),
    ],
)
def test_a_mistake_within_a_table_is_named_by_its_path(toml, message):
    """File, key and, counted from 1, which of the accounts."""
    said = refusal(write_toml(toml.replace("ROLE", ROLE)))
    assert said.startswith(f"joblake.toml: {message}"), said


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("account", "audit", ": expected JSON: "),
        ("account", '[{"profile": "a"}, {"role_arn": "x"}]', ".2.role_arn: 'x' is no role ARN"),
        ("account", '[{"profile": ', ": expected JSON: "),
        ("override", "custom_models=5", ": expected JSON: "),
        ("override", '{"custom_models": {"page_size": 0}}', ".custom_models.page_size: input s"),
        ("override", '{"jobs": {}}', ".jobs: unknown table 'jobs'"),
        ("filter", "[", ": expected JSON: "),
    ],
)
def test_a_mistake_within_a_text_is_named_by_its_place(monkeypatch, name, text, message):
    """A variable and an option are named as they are written, and so is the part at fault."""
    assert refusal(**{name: text}).startswith(f"--{name}{message}")
    monkeypatch.setenv(f"JOBLAKE_{name.upper()}", text)
    assert refusal().startswith(f"JOBLAKE_{name.upper()}{message}")


def test_the_file_is_not_blamed_for_a_variable_of_the_same_name(monkeypatch):
    """The variable hides the key of the file, so the error names the variable."""
    write_toml("page_size = 5\n")
    monkeypatch.setenv("JOBLAKE_PAGE_SIZE", "x")
    assert refusal().startswith("JOBLAKE_PAGE_SIZE: ")


# --- files -----------------------------------------------------------------------------------


def test_filters_may_be_a_table_in_toml():
    """Dates, booleans and numbers of TOML become the texts that --filter takes."""
    write_toml(
        "[filter]\n"
        'statusEquals = "Completed"\n'
        "creationTimeAfter = 2026-01-01\n"
        "creationTimeBefore = 2026-01-31T08:00:00Z\n"
        "isOwned = true\n"
        "maxResults = 5\n"
    )
    assert load_settings().filter == (
        "statusEquals=Completed",
        "creationTimeAfter=2026-01-01",
        "creationTimeBefore=2026-01-31T08:00:00+00:00",
        "isOwned=true",
        "maxResults=5",
    )


def test_filters_may_be_a_list_in_toml():
    """The other spelling is that of the command line."""
    write_toml('filter = ["statusEquals=Completed", "nameContains=a=b"]\n')
    assert load_settings().filter == ("statusEquals=Completed", "nameContains=a=b")


@pytest.mark.parametrize("name", ["joblake.toml", "other.toml"])
def test_an_unknown_key_is_named_with_its_file_and_the_known_ones(name):
    """A misspelled key is no silent default."""
    message = refusal(write_toml("regions = []\n", name))
    assert message.startswith(f"{name}: regions: unknown setting; ")
    assert all(key in message for key in Settings.model_fields)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lake", "5"),
        ("region", "5"),
        ("region", "[5]"),
        ("page_size", '"many"'),
        ("page_size", "0"),
        ("page_size", "1.5"),
        ("max_items", "-1"),
        ("max_workers", "0"),
        ("max_workers", "65"),
        ("max_attempts", '"five"'),
        ("mass_vanish_share", "0"),
        ("mass_vanish_share", "1.5"),
        ("resume_minutes", "inf"),
        ("resume_minutes", "nan"),
        ("resume_minutes", "-1"),
        ("scope_retry_seconds", "inf"),
        ("store_sensitive", '"perhaps"'),
        ("file_mode", "0o1000"),
        ("file_mode", '"rw-"'),
        ("starting_token", "5"),
        ("max_workers", "true"),
        ("page_size", "false"),
        ("mass_vanish_share", "true"),
        ("file_mode", "true"),
        ("table", '["jobs"]'),
        ("role_arn", '["reader"]'),
        ("account", "5"),
        ("override", "5"),
    ],
)
def test_a_wrong_value_in_toml_is_named_with_file_and_key(key, value):
    """A wrong type or bound is one line that names the file, the key and the value."""
    message = refusal(write_toml(f"{key} = {value}\n"))
    assert message.startswith(f"joblake.toml: {key}: ")
    assert "given: " in message


@pytest.mark.parametrize(
    ("key", "value"),
    [("page_size", "many"), ("max_workers", "0"), ("store_sensitive", "x"), ("file_mode", "9")],
)
def test_a_wrong_value_in_the_environment_is_named_with_its_variable(monkeypatch, key, value):
    """The file is not blamed for the environment."""
    write_toml("max_items = 5\n")
    monkeypatch.setenv(f"JOBLAKE_{key.upper()}", value)
    message = refusal()
    assert message.startswith(f"JOBLAKE_{key.upper()}: ")
    assert repr(value) in message


@pytest.mark.parametrize(("key", "option"), [("page_size", 0), ("max_items", -1), ("lake", 5)])
def test_a_wrong_option_is_named_as_on_the_command_line(key, option):
    """An option is named with its dashes, even where the file holds a good value."""
    write_toml("page_size = 5\n")
    assert refusal(**{key: option}).startswith(f"--{key.replace('_', '-')}: ")


@pytest.mark.parametrize("text", ["lake =\n", "= 5", "[lake\n", "lake = 5\nlake = 6\n", "\0"])
def test_invalid_toml_is_named_with_its_file(text):
    """The parser's own words tell line and column."""
    message = refusal(write_toml(text))
    assert message.startswith("joblake.toml is not valid TOML: ")
    assert "line" in message


def test_a_file_may_begin_with_a_byte_order_mark():
    """Editors of Windows write one, and it is no part of the TOML."""
    Path("joblake.toml").write_text('lake = "elsewhere"', encoding="utf-8-sig")
    assert load_settings().lake == "elsewhere"


def test_a_file_that_is_no_utf_8_is_named():
    """A file in another encoding is said to be so."""
    Path("joblake.toml").write_bytes(b'lake = "\xff"')
    assert refusal() == "cannot read joblake.toml: it is no UTF-8 text"


def test_a_missing_file_is_an_error_only_where_it_was_asked_for():
    """joblake.toml may be absent; the file of --config may not."""
    assert load_settings() == Settings()
    message = refusal(Path("nowhere.toml"))
    assert message == "cannot read nowhere.toml: No such file or directory"


def test_a_folder_in_place_of_the_file_is_named():
    """A folder of that name is refused, unlike a missing file."""
    Path("joblake.toml").mkdir()
    assert refusal() == "cannot read joblake.toml: Is a directory"


def test_settings_cannot_be_changed():
    """Scopes share one Settings across threads."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().lake = "elsewhere"


def test_what_narrows_a_run_leaves_the_tables_alone_that_it_does_not_name():
    """A parent is listed whole, but for what its own override says."""
    options = {"table": ["trained_model_inference_jobs"], "filter": ["trainedModelArn=x"]}
    options |= {"page_size": 5, "max_items": 6, "override": {"memberships": {"page_size": 7}}}
    settings = load_settings(**options)
    child, parent = map(settings.for_table, ("trained_model_inference_jobs", "memberships"))
    assert (child.filter, child.page_size, child.max_items) == (("trainedModelArn=x",), 5, 6)
    assert (parent.filter, parent.page_size, parent.max_items) == ((), 7, None)


# --- sources of one's own ----------------------------------------------------------------------

EVALUATIONS = """
[source.evaluations]
operation = "bedrock.ListEvaluationJobs"
key = "jobArn"
name = "jobName"
created = "creationTime"
status = "status"
job = "evaluation"
running = ["InProgress", "Stopping", "Deleting"]
outcomes = { Completed = "succeeded", Failed = "failed", Stopped = "stopped" }
"""


def test_a_declared_source_is_one_of_the_catalogue():
    """Its table can be chosen, also for an account and an override, and is listed by default."""
    assert "evaluations" not in load_settings().catalogue
    write_toml(
        'table = ["evaluations"]\naccount = [{ table = ["evaluations"] }]\n'
        "[override.evaluations]\npage_size = 7\n" + EVALUATIONS
    )
    settings = load_settings()
    assert settings.catalogue["evaluations"].job == "evaluation"
    assert settings.for_table("evaluations").page_size == 7
    write_toml(EVALUATIONS)
    assert "evaluations" in load_settings().tables_of(Account())
    assert "memberships" not in load_settings().tables_of(Account())


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (("jobArn", "jobId"), "key: no member 'jobId'; members are: jobArn, "),
        (("key =", "colour = 'red'\nkey ="), "colour: unknown key; keys are: "),
        (("evaluations", "custom_models"), "joblake has a source of this name already"),
        (("EvaluationJobs", "Jobs"), "operation: botocore knows no paginated operation "),
        (("bedrock.ListEvaluationJobs", "cleanrooms.ListMembers"), "operation: the lake has a col"),
        (
            ("key =", "parent = { source = 'evaluations', request = { a = 'b' } }\nkey ="),
            "parent.source: it is its own ancestor",
        ),
    ],
)
def test_a_wrong_declaration_is_named_by_its_file_source_and_key(spoilt, words):
    """Declarations that botocore's models contradict are refused before any listing."""
    table = spoilt[1] if spoilt[1] == "custom_models" else "evaluations"
    write_toml(EVALUATIONS.replace(*spoilt))
    assert refusal().startswith(f"joblake.toml: source.{table}: {words}")
