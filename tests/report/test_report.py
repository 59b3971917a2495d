"""The report in a real browser: what it shows is what the lake holds, and nothing else happens."""

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page

from browsing import CHROMIUM, DESKTOP, PHONE, opened
from command_line import run_joblake
from declared import CATALOGUE
from exporting import BATCHES, batch_job, run_export
from joblake.endpoint import FixedResources
from joblake.errors import UnreadableFileError, UsageError
from joblake.lake.local import Lake
from joblake.report import REPORT, figures, write_report
from joblake.report.page import render_page
from joblake.warehouse.warehouse import Warehouse, open_warehouse
from lake_rows import instant, write_rows

NEAR, FAR = "111122223333", "444455556666"
HOME, AWAY = "us-east-1", "eu-west-1"
ROOMS = "00000000-0000-4000-8000-000000000001"
NOVA = "amazon.nova-lite-v1:0"
BASE = f"arn:aws:bedrock:us-east-1::foundation-model/{NOVA}"
NIGHTS = ("2026-03-18 02:00", "2026-03-19 02:00", "2026-03-20 02:00")
LAST = instant(NIGHTS[-1])
MORNING = LAST + timedelta(hours=6)
TABLES = ("model_customization_jobs", "custom_models", "model_invocation_jobs")
NONE = "\N{EN DASH}"

browser_needed = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed (apt-get install chromium)"
)


def batch(number: int, night: int, status: str, hours: float | None, **more: Any) -> dict[str, Any]:
    """A batch job first seen on a night, submitted a day and a half before the last."""
    submitted = instant(NIGHTS[night]) - timedelta(hours=20)
    ended = None if hours is None else submitted + timedelta(hours=hours)
    return {
        "observed_at": NIGHTS[night],
        "change": "added",
        "job_arn": f"arn:aws:bedrock:us-east-1:{NEAR}:model-invocation-job/b{number}",
        "job_name": f"batch-{number}",
        "model_id": NOVA,
        "status": status,
        "submit_time": submitted.isoformat(),
        "end_time": None if ended is None else ended.isoformat(),
    } | more


def tuning(number: int, status: str = "Completed", **more: Any) -> dict[str, Any]:
    """A customization job of the second night, two hours long."""
    return {
        "observed_at": NIGHTS[1],
        "change": "added",
        "job_arn": f"arn:aws:bedrock:us-east-1:{NEAR}:model-customization-job/t{number}",
        "job_name": f"tuning-{number}",
        "base_model_arn": BASE,
        "custom_model_arn": f"arn:aws:bedrock:us-east-1:{NEAR}:custom-model/m{number}",
        "custom_model_name": f"tuned-{number}",
        "customization_type": "FINE_TUNING",
        "status": status,
        "creation_time": "2026-03-18T03:00",
        "end_time": "2026-03-18T05:00",
        "status_details__validation_details__status": "Completed",
        "status_details__validation_details__creation_time": "2026-03-18T03:00",
        "status_details__validation_details__last_modified_time": "2026-03-18T03:10",
        "status_details__training_details__status": status,
        "status_details__training_details__creation_time": "2026-03-18T03:10",
        "status_details__training_details__last_modified_time": "2026-03-18T05:00",
    } | more


def inference(number: int, status: str) -> dict[str, Any]:
    """A Clean Rooms job of the far account, an hour long."""
    return {
        "account_id": FAR,
        "region_name": AWAY,
        "observed_at": NIGHTS[2],
        "change": "added",
        "trained_model_inference_job_arn": f"arn:aws:cleanrooms-ml:eu-west-1:{FAR}:job/i{number}",
        "trained_model_arn": "arn:aws:cleanrooms-ml:eu-west-1:x:trained-model/forecast",
        "parent": ROOMS,
        "name": f"inference-{number}",
        "status": status,
        "create_time": "2026-03-19T10:00",
        "update_time": "2026-03-19T11:00",
    }


def model(number: int, **more: Any) -> dict[str, Any]:
    """A custom model, which the customization job of the same number made."""
    return {
        "observed_at": NIGHTS[1],
        "change": "added",
        "model_arn": f"arn:aws:bedrock:us-east-1:{NEAR}:custom-model/m{number}",
        "model_name": f"tuned-{number}",
        "base_model_arn": BASE,
        "customization_type": "FINE_TUNING",
        "model_status": "Active",
        "creation_time": "2026-03-18T05:00",
    } | more


def listing(table: str, night: str = NIGHTS[-1], **more: Any) -> dict[str, Any]:
    """A complete listing."""
    return {"table_name": table, "started_at": night, "outcome": "complete", **more}


HOURS = (1, 2, 3, 4, 5, 6, 7, 30)
FAR_ROOMS = {"account_id": FAR, "region_name": AWAY, "parent": ROOMS}
SECOND = {"base_model_arn": f"arn:aws:bedrock:us-east-1:{NEAR}:custom-model/m1"}
ROWS: dict[str, list[dict[str, Any]]] = {
    "model_invocation_jobs": [
        *(batch(n, 1, "Completed", hours) for n, hours in enumerate(HOURS)),
        batch(20, 2, "Failed", 1, message="The input is no JSON: line 17"),
        batch(21, 2, "Failed", 1, message="The input is no JSON: line 4"),
        batch(22, 2, "Expired", 24),
        batch(23, 0, "InProgress", None),
        batch(24, 2, "InProgress", None),
        batch(25, 1, "Completed", 1.5),
        batch(25, 2, "Completed", 1.5, change="vanished"),
        batch(26, 1, "Completed", 2, model_id=SECOND["base_model_arn"]),
    ],
    "model_customization_jobs": [tuning(1), tuning(2, **SECOND), tuning(3, "Failed")],
    "custom_models": [
        model(1),
        model(2, **SECOND),
        model(9, model_name="imported"),
        model(9, model_name="imported", observed_at=NIGHTS[2], change="vanished"),
    ],
    "trained_model_inference_jobs": [inference(1, "ACTIVE"), inference(2, "CREATE_FAILED")],
    "listings": [
        *(listing(table, night) for table in TABLES for night in NIGHTS),
        listing("trained_model_inference_jobs", **FAR_ROOMS),
        listing("model_invocation_jobs", **{**FAR_ROOMS, "parent": None})
        | {"outcome": "denied", "error": "AccessDeniedException: <b>not authorized</b>"},
    ],
}


def reported(lake: Lake) -> Path:
    return Path(write_report(lake, CATALOGUE, clock=lambda: MORNING))


def rendered(found: figures.Figures, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(render_page(found), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Two accounts, two regions, all kinds of jobs, three nights."""
    lake = Lake.at(tmp_path_factory.mktemp("lake"))
    write_rows(lake, ROWS)
    return lake


@pytest.fixture(scope="module")
def file(lake: Lake) -> Path:
    return reported(lake)


@pytest.fixture(scope="module")
def window(browser: Browser, file: Path) -> Iterator[Page]:
    with opened(browser, file, now=MORNING) as page:
        yield page


@pytest.fixture
def page(window: Page) -> Page:
    """The page of the lake on a desk, which shows everything."""
    window.evaluate("choose({})")
    window.mouse.move(0, 0)
    return window


@pytest.fixture(scope="module")
def warehouse(lake: Lake) -> Iterator[Warehouse]:
    with open_warehouse(lake, CATALOGUE) as opened_warehouse:
        yield opened_warehouse


CHOICES = (
    {},
    {"account": NEAR},
    {"account": FAR, "region": AWAY},
    {"region": HOME, "kind": "batch_inference"},
    {"kind": "customization"},
    {"kind": "clean_rooms_inference"},
)


def address_of(choice: dict[str, str]) -> str:
    return "&".join(f"{name}={value}" for name, value in choice.items())


def condition(choice: dict[str, str]) -> str:
    columns = {"account": "account_id", "region": "region_name", "kind": "job_kind"}
    return " and ".join(["true", *(f"{columns[k]} = '{v}'" for k, v in choice.items())])


def answer(warehouse: Warehouse, sql: str) -> list[dict[str, Any]]:
    return warehouse.query(sql).to_pylist()


def count(page: Page, tile: str) -> int:
    return int(page.locator(f"#{tile} .tile-number").inner_text().replace(",", ""))


def chart(page: Page, label: str) -> Locator:
    """The chart whose label begins so."""
    return page.locator(f".plot[aria-label^='{label}']")


def marks(page: Page, label: str) -> list[list[str]]:
    """What the marks of a chart say, each as its lines."""
    locator = chart(page, label).locator("[role=graphics-symbol][aria-label]")
    labels = [mark.get_attribute("aria-label") or "" for mark in locator.all()]
    return [label.splitlines() for label in labels if label]


def cells(table: Locator) -> list[list[str]]:
    """The text of a table's rows, its head left out; what is not shown counts too."""
    rows = table.locator("tbody tr").all()
    return [row.locator("th, td").all_text_contents() for row in rows]


# --- what it shows -----------------------------------------------------------------------------


@browser_needed
def test_it_opens_from_its_file_alone(page: Page):
    """Offline, without a word on the console, every chart is drawn with marks in it."""
    assert page.title() == "joblake report, 20 March 2026"
    assert page.get_by_role("heading", level=1).inner_text() == "Friday, 20 March 2026"
    charts = page.locator(".plot").all()
    assert len(charts) == 15
    for drawn in charts:
        assert drawn.get_attribute("aria-label")
        assert drawn.locator("[role=graphics-symbol]").count() > 0


@browser_needed
@pytest.mark.parametrize("choice", CHOICES, ids=address_of)
def test_tiles_and_bars_tell_what_the_views_tell(
    page: Page, warehouse: Warehouse, choice: dict[str, str]
):
    """Of any choice: last night, what runs, the success rate, and the jobs of each day."""
    where = condition(choice)
    (night,) = answer(
        warehouse,
        f"""
        select
            coalesce(sum(new_count), 0) as new, coalesce(sum(finished_count), 0) as finished,
            coalesce(sum(failed_count), 0) as failed, coalesce(sum(vanished_count), 0) as vanished
        from nightly_job_changes where night = '2026-03-20' and {where}
        """,
    )
    (running,) = answer(warehouse, f"select count(*) as n from running_jobs where {where}")
    outcomes = {
        "Succeeded": "succeeded_count",
        "Failed": "failed_count",
        "Expired": "expired_count",
        "Running": "running_count",
    }
    bars: Counter[tuple[int, str]] = Counter()
    for row in answer(warehouse, f"from daily_job_counts where {where}"):
        bars.update({(row["day"].day, name): row[column] for name, column in outcomes.items()})
    page.evaluate("choice => choose(choice)", choice)
    assert {tile: count(page, tile) for tile in night} == night
    assert count(page, "running") == running["n"]
    shown = {}
    for day, told in marks(page, "Jobs created on each day"):
        parts = re.fullmatch(r"(.+): (\d+) jobs? of \d+", told)
        assert parts
        shown[int(day.split()[1]), parts[1]] = int(parts[2])
    assert shown == {key: number for key, number in bars.items() if number}
    ended = sum(n for (_, name), n in bars.items() if name != "Running")
    good = sum(n for (_, name), n in bars.items() if name == "Succeeded")
    rate = page.locator("#success .tile-number").inner_text()
    assert rate == f"{100 * good / ended:.0f}%"


@browser_needed
@pytest.mark.parametrize("choice", CHOICES, ids=address_of)
def test_durations_are_those_of_the_jobs(page: Page, warehouse: Warehouse, choice: dict[str, str]):
    """Of any choice: count, median and 95th percentile of each kind and model, exact for few."""
    expected = answer(
        warehouse,
        f"""
        select
            job_kind, coalesce(model, 'All models') as model, count(*) as n,
            quantile_cont(duration_seconds, [0.5, 0.95]) as quantiles
        from (
            select job_kind, parse_filename(coalesce(m.model_name, j.model)) as model, outcome,
                duration_seconds, j.account_id, j.region_name
            from jobs j left join custom_models m on j.model = m.model_arn
        )
        where outcome = 'succeeded' and {condition(choice)}
        group by grouping sets ((job_kind, model), (job_kind))
        """,
    )
    kinds = Counter(row["job_kind"] for row in expected)
    page.evaluate("choice => choose(choice)", choice)
    table = page.get_by_label("Durations by kind and model").locator("table")
    shown = {tuple(row[0].lower().split(" · ")): row[1:] for row in cells(table)}
    for row in expected:
        if row["model"] == "All models" and kinds[row["job_kind"]] == 2:
            continue  # of a kind with one model there is one panel
        kind = row["job_kind"].replace("_", " ")
        times = [page.evaluate("duration", seconds) for seconds in row["quantiles"]]
        assert shown.pop((kind, row["model"].lower())) == [str(row["n"]), *times]
    assert shown == {}
    panels = page.locator("#durations .panel")
    assert panels.count() == sum(1 if n == 2 else n for n in kinds.values())
    for panel in panels.all():  # all jobs are of one week
        assert panel.locator("[role=graphics-symbol]").count() == 1


@browser_needed
def test_phases_and_waits(page: Page, warehouse: Warehouse):
    """Means and quantiles of phases, and the bounds of waiting and running, as SQL gives them."""
    phases = answer(
        warehouse,
        """
        select phase, count(*) as n, quantile_cont(duration_seconds, [0.5, 0.95]) as q
        from job_phases where job_kind = 'customization' and status = 'Completed' group by phase
        """,
    )
    waits = answer(
        warehouse,
        """
        select phase, count(*) as n, quantile_cont(shortest_seconds, [0.5, 0.95]) as low,
            quantile_cont(longest_seconds, [0.5, 0.95]) as high
        from job_phases
        where job_kind = 'batch_inference' and shortest_seconds is not null
            and longest_seconds is not null
        group by phase
        """,
    )

    def told(seconds: float) -> str:
        return str(page.evaluate("duration", seconds))

    table = page.get_by_role("table", name="Phases of customization jobs")
    shown = {row[0]: row[1:] for row in cells(table)}
    assert list(shown) == ["Validation", "Training"]  # as they follow each other
    assert shown == {
        row["phase"].capitalize(): [str(row["n"]), *map(told, row["q"])] for row in phases
    }
    table = page.get_by_role("table", name="Phases of batch inference jobs")
    shown = {row[0]: row[1:] for row in cells(table)}
    assert list(shown) == ["Queue", "Run"]
    assert shown == {
        row["phase"].capitalize(): [
            str(row["n"]),
            *(
                f"{told(low)} to {told(high)}"
                for low, high in zip(*map(row.get, ("low", "high")), strict=True)
            ),
        ]
        for row in waits
    }
    assert len(marks(page, "Phases of batch inference jobs")) == 2
    assert [lines[1] for lines in marks(page, "Phases of customization jobs")] == [
        "Validation: 10 min in the mean of 3 jobs",
        "Training: 1.8 h in the mean of 2 jobs",
    ]


@browser_needed
def test_failures_tell_their_reasons(page: Page):
    """The newest first; reasons that differ in numbers alone are one."""
    newest = page.get_by_role("table", name="Newest failures")
    assert newest.locator("tbody th .name").first.inner_text() == "batch-22"
    assert [row[1] for row in cells(newest)] == [
        "AWS tells none",
        "AWS tells none",
        "The input is no JSON: line 17",
        "The input is no JSON: line 4",
        "training failed",
    ]
    reasons = cells(page.get_by_role("table", name="Why jobs fail"))
    assert sorted(reasons) == [
        ["AWS tells none", "2"],
        ["The input is no JSON: line 17and the like, with other numbers", "2"],
        ["training failed", "1"],
    ]


@browser_needed
def test_overdue_jobs_stand_first_and_slow_ones_in_order(page: Page):
    """One of two running jobs is older than 19 in 20 become; the slowest took 30 hours."""
    assert page.locator("#running .urgent").inner_text() == "1 overdue"
    running = page.get_by_role("table", name="Running jobs").locator("tbody tr")
    assert [row.locator(".badge").count() for row in running.all()] == [1, 0]
    assert "batch-23" in running.first.inner_text()
    slowest = cells(page.get_by_role("table", name="Slowest jobs"))
    assert [row[1] for row in slowest[:4]] == ["30 h", "24 h", "7 h", "6 h"]
    assert slowest[0][2] == "7.5\N{MULTIPLICATION SIGN}"


@browser_needed
def test_lineage_is_a_tree(page: Page):
    """A model stands below the one that it was made from; a deleted one says so."""
    tree = page.locator("#lineage .tree")
    assert page.locator("#lineage summary .name").inner_text() == NOVA
    first = tree.locator("> li", has_text="tuned-1")
    assert first.locator("> ul > li > .name").all_inner_texts() == ["tuned-2"]
    assert "used by 1 batch inference job" in first.locator("> .about").inner_text()
    gone = tree.locator("> li", has_text="imported")
    assert gone.locator(".badge").inner_text() == "deleted"


@browser_needed
def test_coverage_warns_on_top(browser: Browser, file: Path):
    """A scope that was not listed stands above every number, with its error as text."""
    with opened(browser, file, now=MORNING) as page:
        notice = page.locator("main .notice")
        assert notice.inner_text().startswith("1 scope of 5 was not seen completely.")
        assert "AccessDeniedException: <b>not authorized</b>" in notice.inner_text()
        assert notice.bounding_box()["y"] < page.locator(".tiles").bounding_box()["y"]
    with opened(browser, file, now=MORNING, choice=f"account={NEAR}") as page:
        assert page.locator("main .notice").count() == 0
        assert "All 3 scopes were listed completely." in page.locator("#night").inner_text()


@browser_needed
def test_an_old_page_says_how_old_it_is(browser: Browser, file: Path):
    """Whoever opens a page of last week is told so."""
    with opened(browser, file, now=MORNING + timedelta(days=5)) as page:
        assert page.locator(".notice").first.inner_text().startswith("The newest listing is 5 days")


PROBLEMS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "partial": ([{"outcome": "partial"}], "Stopped half-way"),
    "failed": ([{"outcome": "failed", "error": "boom"}], "The listing failed"),
    "held": ([{"error": "held for confirmation"}], "Much vanished at once"),
    "not listed": ([{"started_at": "2026-03-01"}], "Not listed since 1 Mar"),
    "filtered alone": ([{"outcome": "filtered"}], "Never listed completely"),
    "filtered long": (
        [{"started_at": "2026-03-01"}, {"outcome": "filtered"}],
        "Not listed completely since 1 Mar",
    ),
}
SOUND: dict[str, list[dict[str, Any]]] = {
    "complete": [{}],
    "unsupported": [{"outcome": "unsupported"}],
    "filtered since yesterday": [{"started_at": "2026-03-19"}, {"outcome": "filtered"}],
    "recovered": [{"started_at": "2026-03-19", "outcome": "denied"}, {}],
}


@browser_needed
def test_every_problem_of_coverage_is_told(browser: Browser, tmp_path: Path):
    """Each way in which a scope can be known badly has its words; the healthy ways have none."""
    lake = Lake.at(tmp_path)
    histories = {name: rows for name, (rows, _) in PROBLEMS.items()} | SOUND
    listings = [
        listing("model_invocation_jobs", account_id=f"{number:012}") | row
        for number, rows in enumerate(histories.values())
        for row in rows
    ]
    write_rows(lake, {"listings": listings})
    with opened(browser, reported(lake), now=MORNING) as page:
        rows = cells(page.get_by_role("table", name="Scopes that were not"))
        assert [row[0][-24:-12] for row in rows] == [f"{n:012}" for n in range(len(PROBLEMS))]
        for row, (_, words) in zip(rows, PROBLEMS.values(), strict=True):
            assert row[1].startswith(words)


@browser_needed
def test_a_bar_tells_its_number(page: Page):
    """Under the mouse a mark says what it says to a screen reader, and nothing once left."""
    bar = chart(page, "Jobs created").locator("rect[aria-label*='Failed: 3 jobs of 7']")
    bar.hover()
    assert page.locator("#tooltip").inner_text() == "Thu 19 Mar\nFailed: 3 jobs of 7"
    page.get_by_role("heading", level=1).hover()
    assert not page.locator("#tooltip").is_visible()


# --- filters -----------------------------------------------------------------------------------


@browser_needed
def test_filters_act_on_everything(page: Page):
    """A choice changes numbers, charts and tables, stands in the address, and can be taken back."""
    before = page.locator("main").inner_text()
    assert page.get_by_label("Account").locator("option").all_inner_texts() == [
        "All 2 accounts",
        NEAR,
        FAR,
    ]
    page.get_by_label("Account").select_option(FAR)
    assert page.get_by_role("status").inner_text() == f"Showing {FAR}"
    assert page.url.endswith(f"#account={FAR}")
    assert "batch-" not in page.locator("main").inner_text()
    assert [row[0][:11] for row in cells(page.get_by_role("table", name="Newest"))] == [
        "inference-2"
    ]
    page.get_by_label("Kind of job").select_option("batch_inference")
    for section, words in {
        "days": "No job was created",
        "failures": "No job failed",
        "slow": "No job was running",
        "durations": "No job that succeeded",
        "stages": "No job tells how long its phases took",
        "lineage": "No job of this kind makes or uses",
    }.items():
        assert words in page.locator(f"#{section}").inner_text()
    page.get_by_role("button", name="Show all").click()
    assert page.get_by_role("status").inner_text() == "Showing everything"
    assert page.locator("main").inner_text() == before
    assert "#" not in page.url


@browser_needed
def test_an_address_with_a_choice_that_is_none_shows_everything(browser: Browser, file: Path):
    """Whatever stands in the address, nothing but the page's own values is chosen."""
    choice = "account=%3Cscript%3E&region=nowhere&kind=constructor&other=1"
    with opened(browser, file, now=MORNING, choice=choice) as page:
        assert page.get_by_role("status").inner_text() == "Showing everything"
        assert page.get_by_label("Region").input_value() == ""


@browser_needed
def test_a_kind_of_job_that_no_script_knows(browser: Browser, warehouse: Warehouse, tmp_path: Path):
    """Whatever kinds and phases the data tells of have their filter, charts, tables and names."""
    found = figures.read_figures(warehouse, MORNING)
    new = {"customization": "model_evaluation", "training": "human_review"}
    for table in found.tables.values():
        for column in {"kind", "phase"} & table.keys():
            table[column]["values"] = [new.get(v, v) for v in table[column]["values"]]
    with opened(browser, rendered(found, tmp_path), now=MORNING) as page:
        page.get_by_label("Kind of job").select_option("Model evaluation")
        assert page.get_by_role("status").inner_text() == "Showing Model evaluation"
        assert [count(page, tile) for tile in ("new", "failed", "running")] == [0, 0, 0]
        assert sum(int(lines[1].split()[1]) for lines in marks(page, "Jobs created")) == 3
        assert page.locator("#durations h3").all_inner_texts() == ["Model evaluation"]
        phases = cells(page.get_by_role("table", name="Phases of model evaluation jobs"))
        assert [row[0] for row in phases] == ["Validation", "Human review"]
        assert len(cells(page.get_by_role("table", name="Newest failures"))) == 1


# --- hostile names -----------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    "</script><img src=x onerror=alert(3)>",
    "<!--<script>",
    "]]>\"'><svg onload=alert(4)>",
    "${alert(5)} $data $$ {{7*7}} \\u003cscript>",
    "javascript:alert(6)",
    "__proto__",
    "emoji \U0001f986\U0001f469\u200d\U0001f52c, \u202eright to left, \u2028 and \x00 and \x1b[31m",
    "e" + "\u0301" * 60,
    "x" * 1_000_000,
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a lake in which every text is hostile."""
    lake = Lake.at(tmp_path_factory.mktemp("hostile"))
    jobs = [
        batch(n, 1, "Failed", n + 1, job_name=text, model_id=text, message=text)
        for n, text in enumerate(HOSTILE)
    ]
    runs = [batch(99, 1, HOSTILE[0], None, job_name=HOSTILE[0])]
    done = [batch(100 + n, 1, "Completed", 1, model_id=text) for n, text in enumerate(HOSTILE)]
    models = [
        model(n, model_name=text, base_model_arn=text, customization_type=text, model_status=text)
        for n, text in enumerate(HOSTILE)
    ]
    trouble = listing("custom_models", outcome="failed", error=HOSTILE[1])
    rows = {"model_invocation_jobs": jobs + runs + done, "custom_models": models}
    write_rows(lake, {**rows, "listings": [trouble]})
    return reported(lake)


@browser_needed
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_hostile_names_stay_text(browser: Browser, hostile: Path, width: int):
    """Whatever a name holds, it is shown as it is, or cut; it runs nothing and breaks nothing."""
    assert hostile.stat().st_size < 120_000
    with opened(browser, hostile, now=MORNING, width=width) as page:
        assert page.locator("script").count() == 2
        assert page.locator("main img, main script, main svg[onload]").count() == 0
        names = page.locator("#failures tbody .name").all_text_contents()
        assert set(names) <= {text[:120] for text in HOSTILE}
        assert len(names) == 10
        shown = page.locator("#lineage .name").all_text_contents()
        assert {text[:120] for text in HOSTILE} <= set(shown)
        assert page.evaluate("document.documentElement.scrollWidth") == width


@browser_needed
def test_a_name_that_utf8_cannot_carry(browser: Browser, tmp_path: Path, serve):
    """A lone surrogate, which Parquet holds in `extra` only, leaves its job without a name."""
    job = batch_job(
        1, jobName="\ud800", status="Failed", message="\udfff lone", lastModifiedTime=LAST
    )
    serve(FixedResources({BATCHES: [job]}))
    run_export(tmp_path / "lake", at=LAST, table=("model_invocation_jobs",))
    with opened(browser, reported(Lake.at(tmp_path / "lake")), now=MORNING) as page:
        (row,) = cells(page.get_by_role("table", name="Newest failures"))
        assert row[0].startswith("b000001")


# --- how it looks ------------------------------------------------------------------------------

CONTRAST = """
() => {
    const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (channel) => {
        const share = channel / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
    const behind = (node) => {
        for (let at = node; at; at = at.parentElement) {
            const colour = parts(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const node of document.querySelectorAll("body *")) {
        const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!own || !node.checkVisibility() || node.matches(":disabled, script, style")) continue;
        const style = getComputedStyle(node);
        const ink = parts(node instanceof SVGElement ? style.fill : style.color);
        const [one, other] = [luminance(ink), luminance(behind(node))].sort((a, b) => b - a);
        found.push([(one + 0.05) / (other + 0.05), node.textContent.slice(0, 40)]);
    }
    return found;
}
"""


@browser_needed
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, file: Path, theme):
    """Light or dark, each text stands out from what is behind it by 4.5 to 1 or more."""
    with opened(browser, file, now=MORNING, theme=theme) as page:
        texts = page.evaluate(CONTRAST)
        assert len(texts) > 200
        assert [text for text in texts if text[0] < 4.5] == []
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == {"light": "rgb(247, 248, 249)", "dark": "rgb(17, 20, 24)"}[theme]


# What is left of linear red, green and blue to eyes without one kind of cone (Machado, Oliveira
# and Fernandes 2009, full severity), and to those with all.
EYES = {
    "all cones": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """A colour (`#rrggbb`) as an eye sees it, in CIE L*a*b*, where distance is difference."""
    told = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(told <= 0.04045, told / 12.92, ((told + 0.055) / 1.055) ** 2.4)
    seen = np.clip(eye @ linear, 0, 1)
    xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]] @ seen
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("eye", EYES)
def test_colours_differ_to_every_eye(theme: str, eye: str):
    """No two colours of one chart look alike to the colour-blind, nor any like the paper."""
    style = (Path(figures.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
    light, dark, *_ = style.split("@media")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", dark if theme == "dark" else light))
    charts = (
        "surface succeeded partially-succeeded failed expired stopped running lost unknown",
        "surface first second third fourth",
        "surface spread-near ink",
    )
    for chart in charts:
        for one, other in itertools.combinations(chart.split(), 2):
            pair = (lab(colours[name], EYES[eye]) for name in (one, other))
            assert np.linalg.norm(np.subtract(*pair)) > 16, (one, other)


@browser_needed
def test_charts_follow_the_theme(browser: Browser, file: Path):
    """Turning the lights off changes the colours of bars that are drawn already."""
    fill = "getComputedStyle(document.querySelector('#days .plot rect')).fill"
    with opened(browser, file, now=MORNING) as page:
        light = page.evaluate(fill)
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(fill) != light


@browser_needed
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, file: Path):
    """At 390 pixels everything fits, and tables still are tables to a screen reader."""
    with opened(browser, file, now=MORNING, width=PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE
        newest = page.get_by_role("table", name="Newest failures")
        assert newest.get_by_role("row").count() == 6
        assert newest.get_by_role("rowheader").count() == 5
        assert newest.get_by_role("columnheader").all_inner_texts() == ["Job", "Reason", "Ended"]
        page.get_by_text("By model (2)").first.click()
        box = page.locator("#durations-customization .plot").nth(1)
        assert box.bounding_box()["width"] > 300


@browser_needed
def test_paper_is_light_whole_and_without_controls(browser: Browser, file: Path):
    """Printed from a dark screen, the page is dark on white, and charts have the paper's width."""
    with opened(browser, file, now=MORNING, theme="dark") as page:
        page.set_viewport_size({"width": 700, "height": 1000})
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(22, 25, 29)"
        assert not page.get_by_label("Account").is_visible()
        assert page.get_by_role("status").is_visible()
        widths = page.locator(".chart svg").evaluate_all(
            "charts => charts.map((svg) => svg.getBoundingClientRect().right)"
        )
        assert all(width <= 710 for width in widths)
        pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 6


# --- small lakes and large ones ----------------------------------------------------------------


@browser_needed
@pytest.mark.parametrize("is_there", [True, False])
def test_an_empty_lake_says_so(browser: Browser, tmp_path: Path, is_there):
    """Before the first export the page has nothing to tell, and tells what to do."""
    lake = Lake.at(tmp_path / "lake")
    if is_there:
        lake.prepare()
    with opened(browser, reported(lake), now=MORNING) as page:
        assert page.get_by_role("heading", level=1).inner_text() == "This lake is empty"
        assert "joblake export" in page.locator("main").inner_text()
        assert not page.get_by_label("Account").is_visible()


@browser_needed
def test_a_lake_without_jobs(browser: Browser, tmp_path: Path):
    """Listings that found nothing are no failure: zeros, and each section says what is missing."""
    lake = Lake.at(tmp_path)
    write_rows(lake, {"listings": [listing(table) for table in TABLES]})
    with opened(browser, reported(lake), now=MORNING) as page:
        tiles = ("new", "finished", "failed", "vanished", "running")
        assert [count(page, tile) for tile in tiles] == [0] * 5
        assert page.locator("#success .tile-number").inner_text() == NONE
        assert "All 3 scopes were listed completely." in page.locator("#night").inner_text()
        assert page.locator(".nothing").count() == 7
        assert page.locator("main section:not(#night) .plot").count() == 0


@browser_needed
def test_a_large_lake_gives_a_page_of_bounded_size(browser: Browser, tmp_path: Path):
    """Lists are cut and small accounts folded, the page says so, and its numbers stay whole."""
    lake = Lake.at(tmp_path)
    accounts = [f"{number:012}" for number in range(1, 71)]
    jobs = [
        batch(n, 1, "Failed", 1 + n % 50, account_id=account, message=f"reason {n}")
        for place, account in enumerate(accounts)
        for n in range(15 if place < 2 else 3)
    ]
    write_rows(
        lake,
        {"model_invocation_jobs": jobs, "listings": [listing(TABLES[2], account_id=accounts[0])]},
    )
    with open_warehouse(lake, CATALOGUE) as warehouse:
        found = figures.read_figures(warehouse, MORNING)
    assert found.folded_account_count == 10
    places = {(*zip(row["account"]["codes"]),) for row in found.tables.values() if "account" in row}
    assert max(map(len, places)) <= figures.LIMITS["rows"] * (figures.LIMITS["places"] + 1)
    with opened(browser, rendered(found, tmp_path), now=MORNING) as page:
        text = page.locator("#failures .note").inner_text()
        assert (
            text
            == f"{len(jobs)} jobs failed or expired in the last 30 days; the newest 10 are listed."
        )
        assert "10 smallest accounts stand together" in page.locator("footer").inner_text()
        assert "in 70 accounts and 1 region" in page.locator("#subtitle").inner_text()
        page.get_by_label("Account").select_option("other")
        assert page.get_by_role("status").inner_text() == "Showing 10 smaller accounts"
        assert page.locator("#failures .note").inner_text().startswith("30 jobs failed")


def test_histograms_grow_coarse_before_they_grow_long(tmp_path: Path):
    """With few rows allowed, no job is lost and the median stays within the width of a bin."""
    lake = Lake.at(tmp_path)
    hours = [1 + n / 40 for n in range(400)]
    write_rows(
        lake, {"model_invocation_jobs": [batch(n, 1, "Completed", h) for n, h in enumerate(hours)]}
    )
    with open_warehouse(lake, CATALOGUE) as warehouse:
        lengths = []
        figures.read_figures(warehouse, MORNING)
        parameters = {**figures.LIMITS, "period": "week"}
        for rows in (figures.LIMITS["times"], 60, 1):
            times = figures.ask(warehouse, "times", {**parameters, "times": rows})
            of_jobs = [row for row in times.to_pylist() if row["phase"] is None]
            lengths.append(len(of_jobs))
            assert sum(row["job_count"] for row in of_jobs) == len(hours)
            mean = sum(row["job_count"] * row["seconds"] for row in of_jobs) / len(hours)
            assert mean == pytest.approx(3600 * sum(hours) / len(hours), rel=1e-4)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > 20
    assert lengths[-1] <= 5


# --- where it goes -----------------------------------------------------------------------------


@pytest.fixture
def quiet(tmp_path: Path) -> Lake:
    """A lake without jobs, whose page is soon made."""
    lake = Lake.at(tmp_path / "lake")
    write_rows(lake, {"listings": [listing(TABLES[0])]})
    return lake


def test_it_lies_beside_the_marts(quiet: Lake):
    """`joblake report` writes into the lake and prints the path; nothing else is left there."""
    finished = run_joblake("report", "--lake", str(quiet.root))
    assert (finished.returncode, finished.stdout, finished.stderr) == (
        0,
        f"{quiet.mart(REPORT)}\n",
        "",
    )
    assert [path.name for path in quiet.mart("").iterdir()] == [REPORT]


def test_it_goes_to_a_file(quiet: Lake, tmp_path: Path):
    """`--output` writes there, over what was there."""
    output = tmp_path / "news.html"
    output.write_text("old")
    assert write_report(quiet, CATALOGUE, output) == str(output)
    assert output.read_text().startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "news.html"]


def test_a_missing_lake_has_no_report(tmp_path: Path):
    """Of a lake that is not there no page says that nothing has happened, nor is one made."""
    for where in ((), ("-o", str(tmp_path / "page.html"))):
        finished = run_joblake("report", "--lake", str(tmp_path / "none"), *where)
        assert finished.returncode == 3
        assert finished.stderr.startswith(f"error: there is no lake at {tmp_path / 'none'}, so")
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written(lake: Lake, tmp_path: Path):
    """One line says what and why, with the exit code of usage."""
    finished = run_joblake(
        "report", "--lake", str(lake.root), "--output", str(tmp_path / "no" / "page.html")
    )
    assert finished.returncode == 2
    assert finished.stderr == (
        f"error: cannot write {tmp_path / 'no' / 'page.html'}: No such file or directory\n"
    )
    with pytest.raises(UsageError, match=f"cannot write {tmp_path}: Is a directory"):
        write_report(lake, CATALOGUE, tmp_path)


def test_a_damaged_lake_keeps_its_last_page(tmp_path: Path):
    """What cannot be read whole replaces nothing."""
    lake = Lake.at(tmp_path)
    (path,) = write_rows(lake, {"model_invocation_jobs": [batch(1, 1, "Completed", 1)]})
    page = reported(lake).read_bytes()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnreadableFileError):
        write_report(lake, CATALOGUE)
    assert lake.mart(REPORT).read_bytes() == page


def test_nothing_on_the_page_but_the_scripts_depends_on_markup(file: Path):
    """Data and policy: no character of markup in the figures, every script known by its hash."""
    page = file.read_text(encoding="utf-8")
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert data
    assert not set("<>&") & set(data[1])
    assert data[1].isascii()
    assert json.loads(data[1])["job_count"] == 20
    assert len(re.findall(r"<script>.*?</script>", page, re.DOTALL)) == 1
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].count("'sha256-") == 1
    assert "unsafe-eval" not in policy[1]
    assert "default-src 'none'" in policy[1]
