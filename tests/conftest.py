"""Fixtures shared by all tests: an environment without the user's, and endpoints on loopback."""

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browsing import chromium
from examples import choose_profile
from exporting import point_at
from joblake.endpoint import EndpointServer, FixedResources
from s3_server import S3Server

choose_profile()

_DEAR = (
    "cli/test_demo.py",
    "journeys/test_flow.py",
    "warehouse/test_publish.py",
    "journeys/test_crashes.py",
    "report/test_report.py",
    "cli/test_cli.py",
    "journeys/test_faults.py",
    "warehouse/test_views.py",
    "lake/test_s3.py",
    "aws/test_politeness.py",
)
"""The files that take longest begin first: the last ones to end are then short."""

_FOREIGN = ("AWS_", "JOBLAKE_", "PREFECT_")


@pytest.fixture(scope="session", autouse=True)
def _environment_without_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the machine reaches a test or a process that it starts."""
    nothing = tmp_path_factory.mktemp("no-settings")
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(_FOREIGN):
                patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", str(nothing / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nothing / "credentials"))
        yield


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No file of a test gets into the checkout."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., EndpointServer]]:
    """Start an endpoint over given resources and point this process's boto3 at it."""
    with ExitStack() as stack:

        def start(resources: Any = None, **options: Any) -> EndpointServer:
            server = stack.enter_context(EndpointServer(resources or FixedResources(), **options))
            point_at(server, monkeypatch)
            return server

        yield start


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium, started once."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server on loopback, with one bucket."""
    with S3Server.started(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An s3:// location of the test's own, which boto3 finds by the environment."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.bucket}/{uuid.uuid4()}"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """The place of a lake of the test's own, where there is none yet."""
    return tmp_path / "lake"


@pytest.fixture(scope="session")
def night() -> datetime:
    """The instant of a first night."""
    return datetime(2026, 11, 10, 2, 0, tzinfo=UTC)


def pytest_xdist_auto_num_workers() -> int:
    """One worker more than processors: tests wait for limits, delays and servers that start."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of dear files first; xdist hands out files in this order."""
    tests = Path(__file__).parent
    rank = {tests / name: number for number, name in enumerate(_DEAR)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that tests put on record: how many faults they tried and survived."""
    for report in terminalreporter.getreports("passed"):
        for name, value in getattr(report, "user_properties", []):
            if name == "figures" and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid}: {value}")
