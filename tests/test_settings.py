"""Options, environment and joblake.toml: which one counts, and what a mistake is answered with."""

from pathlib import Path

import pytest

from joblake.errors import UsageError
from joblake.settings import Settings, load_settings

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
    ("page_size", None, 1, ("2", 2), ("3", 3)),
    ("max_workers", 4, 1, ("2", 2), ("3", 3)),
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
    """Of four places that may tell a setting, the nearest to the user counts."""
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
    assert name in message
    assert "'regions'" in message
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
    ],
)
def test_a_wrong_value_in_toml_is_named_with_file_and_key(key, value):
    """A wrong type or bound is one line that says where to mend what."""
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
    """What stands there and cannot be read is no missing file."""
    Path("joblake.toml").mkdir()
    assert refusal() == "cannot read joblake.toml: Is a directory"


def test_settings_cannot_be_changed():
    """Scopes share one Settings across threads."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().lake = "elsewhere"
