"""The columns of every table.

golden/<table>.txt hold the name and type of each column of a listed page, a line each. When an SDK
upgrade brings a member, `UPDATE_GOLDEN=1 uv run --group dev pytest tests/sources` rewrites them and
git shows what is new.
"""

import os
from pathlib import Path

import pyarrow as pa
import pytest

from declared import SOURCES, operation_of
from joblake.sources.schema import (
    column_of,
    is_sensitive,
    item_columns,
    listed_schema,
    observation_schema,
)
from joblake.sources.service_model import Member, Operation

GOLDEN = Path(__file__).parent / "golden"

TEXT = "string"
COUNT = "int64"
INSTANT = "timestamp[us, tz=UTC]"
DETAILS = {"status": TEXT, "creationTime": INSTANT, "lastModifiedTime": INSTANT}

# The members under "Response Syntax" of the operations' reference pages.
DOCUMENTED = {
    "model_customization_jobs": {
        "jobArn": TEXT,
        "baseModelArn": TEXT,
        "jobName": TEXT,
        "status": TEXT,
        **{
            f"statusDetails.{part}.{name}": kind
            for part in ("validationDetails", "dataProcessingDetails", "trainingDetails")
            for name, kind in DETAILS.items()
        },
        "lastModifiedTime": INSTANT,
        "creationTime": INSTANT,
        "endTime": INSTANT,
        "customModelArn": TEXT,
        "customModelName": TEXT,
        "customizationType": TEXT,
    },
    "custom_models": {
        "modelArn": TEXT,
        "modelName": TEXT,
        "creationTime": INSTANT,
        "baseModelArn": TEXT,
        "baseModelName": TEXT,
        "customizationType": TEXT,
        "ownerAccountId": TEXT,
        "modelStatus": TEXT,
    },
    "model_invocation_jobs": {
        "jobArn": TEXT,
        "jobName": TEXT,
        "modelId": TEXT,
        "clientRequestToken": TEXT,
        "roleArn": TEXT,
        "status": TEXT,
        "message": TEXT,
        "submitTime": INSTANT,
        "lastModifiedTime": INSTANT,
        "endTime": INSTANT,
        "inputDataConfig.s3InputDataConfig.s3InputFormat": TEXT,
        "inputDataConfig.s3InputDataConfig.s3Uri": TEXT,
        "inputDataConfig.s3InputDataConfig.s3BucketOwner": TEXT,
        "outputDataConfig.s3OutputDataConfig.s3Uri": TEXT,
        "outputDataConfig.s3OutputDataConfig.s3EncryptionKeyId": TEXT,
        "outputDataConfig.s3OutputDataConfig.s3BucketOwner": TEXT,
        "vpcConfig.subnetIds": TEXT,
        "vpcConfig.securityGroupIds": TEXT,
        "timeoutDurationInHours": COUNT,
        "jobExpirationTime": INSTANT,
        # Not on the page, but in the service model since 2026.
        "modelInvocationType": TEXT,
        "totalRecordCount": COUNT,
        "processedRecordCount": COUNT,
        "successRecordCount": COUNT,
        "errorRecordCount": COUNT,
    },
    "trained_model_inference_jobs": {
        "trainedModelInferenceJobArn": TEXT,
        "configuredModelAlgorithmAssociationArn": TEXT,
        "membershipIdentifier": TEXT,
        "trainedModelArn": TEXT,
        "trainedModelVersionIdentifier": TEXT,
        "collaborationIdentifier": TEXT,
        "status": TEXT,
        "outputConfiguration.accept": TEXT,
        "outputConfiguration.members": TEXT,
        "name": TEXT,
        "description": TEXT,
        "metricsStatus": TEXT,
        "metricsStatusDetails": TEXT,
        "logsStatus": TEXT,
        "logsStatusDetails": TEXT,
        "mlModelInferencePayerAccountId": TEXT,
        "createTime": INSTANT,
        "updateTime": INSTANT,
    },
}

OBSERVATION_HEAD = ["run_id", "observed_at", "change", "account_id", "region_name", "parent"]


def schema_text(operation: Operation) -> str:
    """A line for each column: name and type."""
    return "".join(f"{field.name} {field.type}\n" for field in listed_schema(operation))


@pytest.mark.parametrize("table", SOURCES)
def test_the_schema_is_the_golden_one(table):
    """No column comes, goes, moves or changes its type without a diff that shows it."""
    text, golden = schema_text(SOURCES[table].operation), GOLDEN / f"{table}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8"), f"now it is:\n{text}"


def test_the_golden_folder_holds_nothing_else():
    """Every golden file belongs to a table that exists."""
    assert {path.name.partition(".")[0] for path in GOLDEN.iterdir()} == set(SOURCES)


@pytest.mark.parametrize("table", DOCUMENTED)
def test_every_documented_member_has_its_column(table):
    """Each member of the reference pages arrives, with the type of its shape."""
    columns = {".".join(column.path): column for column in item_columns(SOURCES[table].operation)}
    arrived = {path: str(columns[path].type) for path in DOCUMENTED[table] if path in columns}
    assert arrived == DOCUMENTED[table]


@pytest.mark.parametrize("table", SOURCES)
def test_every_column_is_a_scalar_with_a_name_of_its_own(table):
    """BI tools read every file: scalars only, and no two columns that differ by case alone."""
    schema = listed_schema(SOURCES[table].operation)
    scalars = {pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("us", tz="UTC")}
    assert set(schema.types) <= scalars
    assert len({name.lower() for name in schema.names}) == len(schema.names)
    assert set(schema.names).isdisjoint(OBSERVATION_HEAD)


def test_names_are_snake_case_joined_by_a_double_underscore():
    """A nested member's column names the way to it."""
    names = listed_schema(SOURCES["model_invocation_jobs"].operation).names
    assert "input_data_config__s3_input_data_config__s3_uri" in names
    assert "vpc_config__subnet_ids" in names


@pytest.mark.parametrize(
    ("kind", "type_name"),
    [
        ("string", "string"),
        ("character", "string"),
        ("blob", "string"),
        ("integer", "int64"),
        ("long", "int64"),
        ("float", "double"),
        ("double", "double"),
        ("boolean", "bool"),
        ("timestamp", INSTANT),
        ("list", "string"),
        ("map", "string"),
        ("document", "string"),
    ],
)
def test_every_kind_of_shape_has_one_type(kind, type_name):
    """The type map is total over the kinds that service models know."""
    (column,) = item_columns(operation_of(Member("aThing", kind)))
    assert (column.name, str(column.type)) == ("a_thing", type_name)
    assert column.is_json == (kind in {"list", "map", "document"})


@pytest.mark.parametrize("kind", ["bigdecimal", "", "String"])
def test_a_kind_without_a_handler_raises(kind):
    """An unknown kind is no string by accident: it names itself and its member."""
    with pytest.raises(TypeError, match=rf"{kind!r} of 'aThing'"):
        item_columns(operation_of(Member("aThing", kind)))


def test_message_alone_is_sensitive():
    """The texts of failed batch jobs are what the models mark as sensitive."""
    sensitive = [
        (table, column.name)
        for table, source in SOURCES.items()
        for column in item_columns(source.operation)
        if column.is_sensitive
    ]
    assert sensitive == [("model_invocation_jobs", "message")]


def test_what_holds_something_sensitive_is_sensitive():
    """A mark on a structure covers its members, a mark inside a list covers the list."""
    secret = Member("secret", "string", is_sensitive=True)
    plain = Member("plain", "string")
    columns = item_columns(
        operation_of(
            Member("inner", "structure", is_sensitive=True, members=(plain,)),
            Member("people", "list", element=Member("", "structure", members=(plain, secret))),
            Member("words", "list", element=secret),
            Member("names", "list", element=plain),
            plain,
        )
    )
    assert [column.is_sensitive for column in columns] == [True, True, True, False, False]
    assert not is_sensitive(Member("holder", "structure", members=(plain, secret)))


@pytest.mark.parametrize("table", SOURCES)
def test_observations_begin_with_who_saw_what_when(table):
    """An observation is its listing, its change, its place, the members and `extra`, in order."""
    source = SOURCES[table]
    schema = observation_schema(source)
    members = [column.name for column in item_columns(source.operation)]
    assert schema.names == [*OBSERVATION_HEAD, *members, "extra"]
    types = [str(schema.field(name).type) for name in OBSERVATION_HEAD]
    assert types == [TEXT, INSTANT, TEXT, TEXT, TEXT, TEXT]
    assert schema.field("extra").type == pa.string()


def test_the_column_of_a_member_is_found_by_its_wire_name():
    """Declarations speak of members, files of columns."""
    source = SOURCES["trained_model_inference_jobs"]
    assert column_of(source, *source.key) == "trained_model_inference_job_arn"
