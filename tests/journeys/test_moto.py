"""The exporter against an endpoint that is not ours: moto's server."""

from datetime import UTC, datetime

import boto3
import pytest

from exporting import listing_rows, observations, run_export

REGION = "us-east-1"
SECONDS_OF_DOUBT = 300


@pytest.fixture(scope="module")
def moto_url():
    """The server of moto on a free port of the loopback interface, ended with the module."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - half a second to import

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bedrock(moto_url, monkeypatch):
    """A client whose service knows three customization jobs and the models they made."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("bedrock", region_name=REGION)
    boto3.Session().client("s3").create_bucket(Bucket="training")
    boto3.Session().client("s3").put_object(Bucket="training", Key="data.jsonl", Body=b"{}")
    known = {job["jobName"] for job in listed(client, "list_model_customization_jobs")}
    for number in range(3):
        if f"job-{number}" not in known:
            client.create_model_customization_job(
                jobName=f"job-{number}",
                customModelName=f"model-{number}",
                roleArn="arn:aws:iam::123456789012:role/training",
                baseModelIdentifier="amazon.titan-text-lite-v1",
                trainingDataConfig={"s3Uri": "s3://training/data.jsonl"},
                outputDataConfig={"s3Uri": "s3://training/"},
                hyperParameters={"epochCount": "1"},
            )
    return client


def listed(client, method):
    pages = client.get_paginator(method).paginate()
    (key,) = [key.parsed["value"] for key in pages.result_keys]
    return [item for page in pages for item in page[key]]


@pytest.mark.parametrize(
    ("table", "method", "columns"),
    [
        (
            "model_customization_jobs",
            "list_model_customization_jobs",
            {
                "jobArn": "job_arn",
                "jobName": "job_name",
                "baseModelArn": "base_model_arn",
                "status": "status",
                "creationTime": "creation_time",
                "lastModifiedTime": "last_modified_time",
                "endTime": "end_time",
                "customModelArn": "custom_model_arn",
                "customModelName": "custom_model_name",
                "customizationType": "customization_type",
            },
        ),
        (
            "custom_models",
            "list_custom_models",
            {
                "modelArn": "model_arn",
                "modelName": "model_name",
                "creationTime": "creation_time",
                "baseModelArn": "base_model_arn",
                "baseModelName": "base_model_name",
            },
        ),
    ],
)
def test_what_boto3_lists_is_in_the_lake(bedrock, tmp_path, table, method, columns):
    """Every value that boto3 lists stands in the lake; timestamps without a zone are UTC."""
    lake = tmp_path / "lake"
    result = run_export(lake, table=(table,))
    assert [(scope.outcome, scope.listed) for scope in result.scopes] == [("complete", 3)]
    key = columns["jobArn" if table == "model_customization_jobs" else "modelArn"]
    rows = {row[key]: row for row in observations(lake, table)}
    items = listed(bedrock, method)
    assert len(rows) == len(items) == 3
    for item in items:
        assert set(item) <= set(columns)
        assert item["creationTime"].tzinfo is None
        row = rows[item["jobArn" if "jobArn" in item else "modelArn"]]
        for member, column in columns.items():
            assert row[column] == _in_utc(item.get(member))
        age = (datetime.now(UTC) - row["creation_time"]).total_seconds()
        assert abs(age) < SECONDS_OF_DOUBT


def test_a_second_export_finds_nothing_new(bedrock, tmp_path):
    """A service that is not ours is compared with the lake as well: nothing changed, no rows."""
    lake = tmp_path / "lake"
    tables = ("model_customization_jobs", "custom_models")
    run_export(lake, table=tables)
    result = run_export(lake, table=tables)
    assert [(s.listed, s.added, s.changed, s.vanished) for s in result.scopes] == [(3, 0, 0, 0)] * 2
    assert len(listing_rows(lake)) == 4
    names = {job["jobName"] for job in listed(bedrock, "list_model_customization_jobs")}
    assert {row["job_name"] for row in observations(lake)} == names


def _in_utc(value):
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
