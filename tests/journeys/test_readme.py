"""README is executed: its SQL, its commands, its help and its table of views are true.

`UPDATE_README=1 uv run pytest tests/test_readme.py` writes the generated parts anew.
"""

import os
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from command_line import Finished, run_joblake
from declared import SOURCES
from joblake.endpoint import EndpointServer, World
from joblake.export.export import export
from joblake.export.planning import plan, query_of
from joblake.lake.local import Lake
from joblake.settings.settings import Settings, load_settings
from joblake.warehouse.views import read_views

CHECKOUT = Path(__file__).parents[2]
README = CHECKOUT / "README.md"
COMMANDS = (
    "demo",
    "export",
    "query",
    "shell",
    "views",
    "publish",
    "report",
    "doctor",
    "iam-policy",
    "endpoint",
)


def blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def joblake(*arguments: str) -> Finished:
    return run_joblake(*arguments, COLUMNS="100")


def generated(section: str, expected: str) -> None:
    """Hold a generated section of README to what it should say, or write it anew."""
    text = README.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {section} -->\n)(.*?)(<!-- /{section} -->)", re.DOTALL)
    if os.environ.get("UPDATE_README"):
        README.write_text(pattern.sub(lambda m: m[1] + expected + m[3], text), encoding="utf-8")
        return
    match = pattern.search(text)
    assert match is not None
    assert match[2] == expected


@dataclass
class _Clock:
    """A clock that stands where it is put."""

    instant: datetime

    def __call__(self) -> datetime:
        return self.instant


@pytest.fixture(scope="module")
def demo_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake of ten nights of the demo's world, the last one that of README."""
    lake = Lake.at(tmp_path_factory.mktemp("readme") / "lake")
    last = datetime(2026, 11, 15, 2, tzinfo=UTC)
    clock = _Clock(last)
    world = World(first_day=date(2026, 9, 28), days=60)
    with (
        EndpointServer(world, clock=clock) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.environment().items():
            patch.setenv(name, value)
        for days in range(9, -1, -1):
            clock.instant = last - timedelta(days=days)
            result = export(plan(load_settings(lake=str(lake.root)), clock=clock), clock=clock)
            assert result.is_good
    return lake


def test_every_question_in_sql_has_its_answer(demo_lake: Lake) -> None:
    """The output below each SQL block of README is what the command prints for it."""
    text = README.read_text(encoding="utf-8")
    question = re.compile(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    assert len(question.findall(text)) == len(blocks("sql")) == 3

    def answered(match: re.Match[str]) -> str:
        finished = joblake("query", match[1], "--lake", str(demo_lake.root))
        assert (finished.returncode, finished.stderr) == (0, "")
        assert len(finished.stdout.splitlines()) > 3
        return f"```sql\n{match[1]}```\n\n```text\n{finished.stdout}```"

    true = question.sub(answered, text)
    if os.environ.get("UPDATE_README"):
        README.write_text(true, encoding="utf-8")
    else:
        assert text == true


def test_table_of_views() -> None:
    """README names every view with its grain and what it is, from the headers in sql/."""
    lines = ["\n| view | rows | what it tells |\n|---|---|---|\n"]
    for view in read_views():
        first_sentence = re.split(r"(?<=\.) ", view.description)[0]
        lines.append(f"| `{view.schema}.{view.name}` | {view.grain} | {first_sentence} |\n")
    generated("views", "".join(lines) + "\n")


def test_help_of_commands() -> None:
    """README shows each command's help as it is."""
    parts = ["\n```text\n", joblake("--help").stdout, "```\n"]
    for command in COMMANDS[1:3]:
        parts += ["\n```text\n", joblake(command, "--help").stdout, "```\n"]
    generated("commands", "".join(parts) + "\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_exists(command: str) -> None:
    """Every command that README names has a help of its own."""
    result = joblake(command, "--help")
    assert result.returncode == 0
    assert f"joblake {command}" in result.stdout


def test_console_lines_parse() -> None:
    """Every joblake line in README's console blocks names real commands and options."""
    lines = [
        shlex.split(line.removeprefix("uv run "))
        for block in blocks("console")
        for line in block.splitlines()
        if line.startswith("uv run joblake")
    ]
    assert len(lines) >= 4
    for _joblake, command, *arguments in lines:
        options = {word for word in arguments if word.startswith("--")}
        assert options <= set(re.findall(r"--[a-z-]+", joblake(command, "--help").stdout)), command


def test_configuration_is_valid() -> None:
    """The joblake.toml of README has only keys and values that joblake takes."""
    Path("joblake.toml").write_text(blocks("toml")[0], encoding="utf-8")
    settings = load_settings()
    assert isinstance(settings, Settings)
    assert settings.max_workers == 8
    assert not settings.store_sensitive
    profiles = [(account.profile, account.role_arn is not None) for account in settings.accounts]
    assert profiles == [(None, False), ("research", False), (None, True), ("audit", True)]
    batches = query_of(SOURCES["model_invocation_jobs"], settings)
    assert (batches.page_size, batches.parameters["submitTimeAfter"]) == (
        500,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_configuration_of_large_accounts_is_valid() -> None:
    """The other joblake.toml is incremental but for the table that it leaves out."""
    Path("joblake.toml").write_text(blocks("toml")[1], encoding="utf-8")
    settings = load_settings()
    assert [table for table in SOURCES if not settings.for_table(table).incremental] == [
        "custom_models"
    ]
    assert settings.full_listing_days == 7


def test_policy() -> None:
    """README shows the policy that the command prints; test_policy.py holds that to the calls."""
    generated("policy", f"\n```json\n{joblake('iam-policy').stdout}```\n\n")
