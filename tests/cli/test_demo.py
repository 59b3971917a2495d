"""The demo, as a newcomer runs it: the whole job, with an answer to each of its questions."""

import re
import shlex
from pathlib import Path

import pytest

from command_line import run_joblake, run_joblake_process
from declared import CATALOGUE
from joblake.lake.local import Lake
from joblake.warehouse.warehouse import open_warehouse


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demo of nine nights, and its output."""
    folder = tmp_path_factory.mktemp("demo")
    finished = run_joblake_process("demo", "--nights", "9", folder=folder, HOME=str(folder))
    assert finished.returncode == 0, finished.stderr
    assert "The flow completed." in finished.stderr
    return folder, finished.stdout


def test_every_question_has_its_answer(demo):
    """A table follows each question, and the second table has new jobs."""
    _, printed = demo
    first, second = re.split(r"^What happened last night\?$", printed, flags=re.MULTILINE)
    for part in (first, second):
        header, rule, *rows = part[part.index("job_kind") :].split("\n\n")[0].splitlines()
        assert set(rule) == {"─"}
        assert len(rows) > 2, header
    assert "(new)" in second


def test_the_lake_is_where_it_says(demo):
    """The nights stand in data/demo, the marts beside them, and no check complains."""
    folder, printed = demo
    lake = Lake.at(folder / "data" / "demo")
    assert "The lake lies in data/demo: " in printed
    with open_warehouse(lake, CATALOGUE) as warehouse:
        nights = warehouse.query("select count(distinct run_id) as nights from listings")
        assert nights.to_pylist() == [{"nights": 9}]
        for view in warehouse.views():
            if view.schema == "checks":
                assert warehouse.query(f"from checks.{view.name}").num_rows == 0, view.name
    assert (lake.root / "marts" / "jobs.parquet").exists()


def test_what_it_says_to_try_next_works(demo):
    """Each command that it prints gives rows."""
    folder, printed = demo
    commands = [
        shlex.split(line)
        for line in printed.splitlines()
        if re.match(r"  (uv run )?joblake query ", line)
    ]
    assert len(commands) == 3
    for command in commands:
        arguments = command[command.index("joblake") + 1 :]
        finished = run_joblake(*arguments, folder=folder)
        assert (finished.returncode, finished.stderr) == (0, ""), arguments
        assert len(finished.stdout.splitlines()) > 2, arguments
