"""The declared sources: which list operations joblake exports, and what their members mean.

A source says only what a service model cannot: which member identifies a resource, which tell when
it was created, modified and ended, and what its terminal statuses amount to. The status tables
follow the API reference of Amazon Bedrock and AWS Clean Rooms ML.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from joblake.errors import UsageError
from joblake.sources.service_model import Operation, load_operation


@dataclass(frozen=True)
class Source:
    """One list operation and the table it fills.

    Member names are those of the wire. `outcomes` maps each terminal status to its outcome;
    every other status is still running or not known yet. `ascending` are the request parameters
    that list oldest first, so that resources created during a listing come last.
    """

    table: str
    client: str
    operation_name: str
    key: str
    created: str
    modified: str | None
    ended: str | None
    status: str
    outcomes: Mapping[str, str]
    ascending: Mapping[str, str] = field(default_factory=dict)
    needs_membership: bool = False

    @property
    def operation(self) -> Operation:
        """What botocore's service model says of the source's operation."""
        return load_operation(self.client, self.operation_name)

    @property
    def created_after(self) -> str | None:
        """The request parameter that leaves out what was created before; None without one."""
        name = f"{self.created}After"
        names = {parameter.name for parameter in self.operation.parameters}
        return name if name in names else None


_OLDEST_FIRST = {"sortBy": "CreationTime", "sortOrder": "Ascending"}

SOURCES: Mapping[str, Source] = {
    source.table: source
    for source in (
        Source(
            table="model_customization_jobs",
            client="bedrock",
            operation_name="ListModelCustomizationJobs",
            key="jobArn",
            created="creationTime",
            modified="lastModifiedTime",
            ended="endTime",
            status="status",
            outcomes={"Completed": "succeeded", "Failed": "failed", "Stopped": "stopped"},
            ascending=_OLDEST_FIRST,
        ),
        Source(
            table="custom_models",
            client="bedrock",
            operation_name="ListCustomModels",
            key="modelArn",
            created="creationTime",
            modified=None,
            ended=None,
            status="modelStatus",
            outcomes={"Active": "succeeded", "Failed": "failed"},
            ascending=_OLDEST_FIRST,
        ),
        Source(
            table="model_invocation_jobs",
            client="bedrock",
            operation_name="ListModelInvocationJobs",
            key="jobArn",
            created="submitTime",
            modified="lastModifiedTime",
            ended="endTime",
            status="status",
            outcomes={
                "Completed": "succeeded",
                "PartiallyCompleted": "partially_succeeded",
                "Failed": "failed",
                "Stopped": "stopped",
                "Expired": "expired",
            },
            ascending=_OLDEST_FIRST,
        ),
        Source(
            table="trained_model_inference_jobs",
            client="cleanroomsml",
            operation_name="ListTrainedModelInferenceJobs",
            key="trainedModelInferenceJobArn",
            created="createTime",
            modified="updateTime",
            ended=None,
            status="status",
            outcomes={"ACTIVE": "succeeded", "CREATE_FAILED": "failed", "INACTIVE": "stopped"},
            needs_membership=True,
        ),
    )
}


def source_named(table: str) -> Source:
    """The source that fills `table`; UsageError names the existing ones otherwise."""
    try:
        return SOURCES[table]
    except KeyError:
        raise UsageError(f"unknown table {table!r}; tables are: {', '.join(SOURCES)}") from None


def memberships_operation() -> Operation:
    """`cleanrooms.list_memberships`, which discovers the scopes of Clean Rooms ML sources."""
    return load_operation("cleanrooms", "ListMemberships")
