"""README and docs are executed: their SQL, commands, help, settings and views are true.

With UPDATE_DOCS=1 in the environment, this file writes the generated parts anew.
"""

import os
import re
import shlex
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from command_line import Finished, run_joblake
from declared import CATALOGUE, SOURCES
from exporting import serving
from joblake.endpoint import World
from joblake.export.export import export
from joblake.export.planning import plan, query_of
from joblake.lake.local import Lake
from joblake.settings.settings import Settings, load_settings
from joblake.sources.catalogue import read_catalogue, shipped_catalogue
from joblake.sources.check import check_members
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


PAGES = (README, *sorted((CHECKOUT / "docs").glob("*.md")))


def page(name: str) -> Path:
    """A page of docs/, or README."""
    return next(path for path in PAGES if path.stem == name)


def blocks(language: str, *pages: Path) -> list[str]:
    """The fenced blocks of a language, in the order of the pages."""
    fence = re.compile(rf"^```{language}\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    return [b for path in pages or PAGES for b in fence.findall(path.read_text(encoding="utf-8"))]


def joblake(*arguments: str) -> Finished:
    return run_joblake(*arguments, COLUMNS="100")


def hold(path: Path, text: str) -> None:
    """Hold a page to what it should say, or write it anew."""
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def generated(path: Path, section: str, expected: str) -> None:
    """Hold a generated section of a page to what it should say."""
    pattern = re.compile(rf"(<!-- {section} -->\n)(.*?)(<!-- /{section} -->)", re.DOTALL)
    text = path.read_text(encoding="utf-8")
    assert pattern.search(text)
    hold(path, pattern.sub(lambda match: match[1] + expected + match[3], text))


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
    with serving(world, clock=clock):
        for days in range(9, -1, -1):
            clock.instant = last - timedelta(days=days)
            result = export(plan(load_settings(lake=str(lake.root)), clock=clock), clock=clock)
            assert result.is_good
    return lake


def test_every_question_in_sql_has_its_answer(demo_lake: Lake) -> None:
    """The output below each SQL block of README is what the command prints for it."""
    text = README.read_text(encoding="utf-8")
    question = re.compile(r"^```sql\n(.*?)^```\n\n```text\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    assert len(question.findall(text)) == len(blocks("sql", README)) == 3

    def answered(match: re.Match[str]) -> str:
        finished = joblake("query", match[1], "--lake", str(demo_lake.root))
        assert (finished.returncode, finished.stderr) == (0, "")
        assert len(finished.stdout.splitlines()) > 3
        return f"```sql\n{match[1]}```\n\n```text\n{finished.stdout}```"

    hold(README, question.sub(answered, text))


def test_table_of_views() -> None:
    """docs/views.md names every view with its grain and what it is, from the headers."""
    lines = ["\n| view | rows | what it tells |\n|---|---|---|\n"]
    for view in read_views(CATALOGUE):
        first_sentence = re.split(r"(?<=\.) ", view.description)[0]
        lines.append(f"| `{view.schema}.{view.name}` | {view.grain} | {first_sentence} |\n")
    generated(page("views"), "views", "".join(lines) + "\n")


def test_help_of_commands() -> None:
    """docs/commands.md shows each command's help as it is."""
    texts = [joblake("--help").stdout]
    texts += [joblake(command, "--help").stdout for command in COMMANDS]
    expected = "".join(f"\n```text\n{text}```\n" for text in texts)
    generated(page("commands"), "commands", f"{expected}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_exists(command: str) -> None:
    """Every command that the docs name has a help of its own."""
    result = joblake(command, "--help")
    assert result.returncode == 0
    assert f"joblake {command}" in result.stdout


def test_console_lines_parse() -> None:
    """Every joblake line in the console blocks names real commands and options."""
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
    """The joblake.toml of the docs has only keys and values that joblake takes."""
    Path("joblake.toml").write_text(blocks("toml", page("configuration"))[0], encoding="utf-8")
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
    Path("joblake.toml").write_text(blocks("toml", page("configuration"))[1], encoding="utf-8")
    settings = load_settings()
    assert [table for table in SOURCES if not settings.for_table(table).incremental] == [
        "custom_models"
    ]
    assert settings.full_listing_days == 7


def test_links_lead_somewhere() -> None:
    """Every relative link and picture of a page is a file of the checkout."""
    for path in PAGES:
        for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_readme_is_short() -> None:
    """README is read in one go: at most 200 lines."""
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200


def test_policy() -> None:
    """README shows the policy that the command prints; test_policy.py holds that to the calls."""
    generated(README, "policy", f"\n```json\n{joblake('iam-policy').stdout}```\n\n")


def test_the_declaration_of_a_source_is_valid() -> None:
    """The source of the docs is one that joblake takes, and that botocore's models have."""
    declared = tomllib.loads(blocks("toml", page("development"))[0])["source"]
    catalogue = read_catalogue(declared, shipped=shipped_catalogue())
    check_members(catalogue)
    assert [table for table in catalogue if table not in shipped_catalogue()] == ["evaluation_jobs"]
