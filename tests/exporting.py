"""What the exporter's tests share: resources as AWS lists them, an export, a look into the lake."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from joblake.endpoint import EndpointServer, FixedResources
from joblake.export.export import export
from joblake.export.outcomes import RunResult, ScopeResult
from joblake.export.planning import plan
from joblake.lake.local import Lake
from joblake.settings.settings import load_settings
from lake_rows import paths_of

ACCOUNT = "111122223333"
REGION = "us-east-1"
MEMBERSHIP = "11111111-2222-4333-8444-555555555555"

JOBS = "ListModelCustomizationJobs"
MODELS = "ListCustomModels"
BATCHES = "ListModelInvocationJobs"
INFERENCES = "ListTrainedModelInferenceJobs"
MEMBERSHIPS = "ListMemberships"

FIRST_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)


def customization_job(number: int, **members: Any) -> dict[str, Any]:
    """A customization job; jobs with higher numbers are younger by a minute each."""
    created_at = FIRST_INSTANT + timedelta(minutes=number)
    return {
        "jobArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-customization-job/job-{number:06}",
        "jobName": f"job-{number:06}",
        "baseModelArn": f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-text-lite-v1",
        "status": "InProgress",
        "creationTime": created_at,
        "lastModifiedTime": created_at,
        **members,
    }


def custom_model(number: int, **members: Any) -> dict[str, Any]:
    """A custom model."""
    base = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-text-lite-v1"
    return {
        "modelArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:custom-model/titan/m{number:06}",
        "modelName": f"model-{number:06}",
        "creationTime": FIRST_INSTANT + timedelta(minutes=number),
        "baseModelArn": base,
        "baseModelName": "Titan Text Lite",
        "ownerAccountId": ACCOUNT,
        "modelStatus": "Active",
        **members,
    }


def batch_job(number: int, **members: Any) -> dict[str, Any]:
    """A batch inference job."""
    submitted_at = FIRST_INSTANT + timedelta(minutes=number)
    return {
        "jobArn": f"arn:aws:bedrock:{REGION}:{ACCOUNT}:model-invocation-job/b{number:06}",
        "jobName": f"batch-{number:06}",
        "modelId": "amazon.nova-lite-v1:0",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/batch",
        "status": "InProgress",
        "submitTime": submitted_at,
        "lastModifiedTime": submitted_at,
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/in.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out/"}},
        **members,
    }


def inference_job(number: int, membership: str = MEMBERSHIP, **members: Any) -> dict[str, Any]:
    """An inference job of a trained model in Clean Rooms ML."""
    created_at = FIRST_INSTANT + timedelta(minutes=number)
    prefix = f"arn:aws:cleanrooms-ml:{REGION}:{ACCOUNT}:membership/{membership}"
    return {
        "trainedModelInferenceJobArn": f"{prefix}/trained-model-inference-job/i{number:06}",
        "membershipIdentifier": membership,
        "trainedModelArn": f"{prefix}/trained-model/{membership}",
        "collaborationIdentifier": membership,
        "status": "ACTIVE",
        "outputConfiguration": {"members": [{"accountId": ACCOUNT}]},
        "name": f"inference-{number:06}",
        "createTime": created_at,
        "updateTime": created_at,
        **members,
    }


def membership_of(identifier: str, **members: Any) -> dict[str, Any]:
    """An active membership in a Clean Rooms collaboration."""
    return {
        "id": identifier,
        "arn": f"arn:aws:cleanrooms:{REGION}:{ACCOUNT}:membership/{identifier}",
        "collaborationId": identifier,
        "createTime": FIRST_INSTANT,
        "updateTime": FIRST_INSTANT,
        "status": "ACTIVE",
        **members,
    }


def resources_of(
    *, jobs: int = 0, models: int = 0, batches: int = 0, inferences: int = 0
) -> FixedResources:
    """So many resources of each source in every region, and the membership they need."""
    return FixedResources(
        {
            JOBS: [customization_job(number) for number in range(jobs)],
            MODELS: [custom_model(number) for number in range(models)],
            BATCHES: [batch_job(number) for number in range(batches)],
            MEMBERSHIPS: [membership_of(MEMBERSHIP)],
            INFERENCES: [inference_job(number) for number in range(inferences)],
        }
    )


def point_at(server: EndpointServer, patch: pytest.MonkeyPatch) -> None:
    """Have this process's boto3 talk to a server."""
    for name, value in server.environment().items():
        patch.setenv(name, value)


@contextmanager
def serving(resources: Any, **options: Any) -> Iterator[EndpointServer]:
    """An endpoint over given resources, to which this process's boto3 talks in the block."""
    with EndpointServer(resources, **options) as server, pytest.MonkeyPatch.context() as patch:
        point_at(server, patch)
        yield server


def run_export(lake: Path, *, at: datetime | None = None, **options: Any) -> RunResult:
    """One export as the command line does it; `at` is the instant of its clock."""
    clock: dict[str, Callable[[], datetime]] = {} if at is None else {"clock": lambda: at}
    options.setdefault("table", ("model_customization_jobs",))
    settings = load_settings(lake=str(lake), **options)
    return export(plan(settings, **clock), **clock)


def export_scope_alone(lake: Path, *, at: datetime | None = None, **options: Any) -> ScopeResult:
    """One export of a single scope."""
    (result,) = run_export(lake, at=at, **options).scopes
    return result


def observations(lake: Path, table: str = "model_customization_jobs") -> list[dict[str, Any]]:
    """Every observation of a table, in order of time and then of ARN."""
    rows = _rows(paths_of(Lake(lake).table_files(table)))
    key = "model_arn" if table == "custom_models" else "job_arn"
    key = "trained_model_inference_job_arn" if table == "trained_model_inference_jobs" else key
    return sorted(rows, key=lambda row: (row["observed_at"], row[key] or ""))


def listing_rows(lake: Path) -> list[dict[str, Any]]:
    """Every listing on record, in order of time."""
    return sorted(_rows(paths_of(Lake(lake).listing_files())), key=lambda row: row["started_at"])


def _rows(files: Iterable[Path]) -> list[dict[str, Any]]:
    tables = [pq.ParquetFile(file).read() for file in files]
    return pa.concat_tables(tables, promote_options="default").to_pylist() if tables else []


def names(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The names of observed jobs or models."""
    return [row.get("job_name") or row.get("model_name") or row["name"] for row in rows]


def boto3_pages(parameters: dict[str, Any], **paging: Any) -> Any:
    """boto3's own paginator of customization jobs, for comparison."""
    paginator = boto3.Session().client("bedrock").get_paginator("list_model_customization_jobs")
    return paginator.paginate(**parameters, PaginationConfig=paging)
