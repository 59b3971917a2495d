"""Jobs and models as AWS lists them, with every member of their shapes filled in.

An item is a function of its number and its revision: a higher revision is the same resource after
something has happened to it. Identifiers and times are spread by a hash, so that nothing
compresses better than the real thing.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

ACCOUNT = "111122223333"
REGION = "us-east-1"
MEMBERSHIP = "11111111-2222-4333-8444-555555555555"

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_HOME = f"{REGION}:{ACCOUNT}"
_BASES = (
    "amazon.nova-lite-v1:0:300k",
    "amazon.nova-pro-v1:0:300k",
    "amazon.titan-text-express-v1:0:8k",
    "anthropic.claude-3-haiku-20240307-v1:0:200k",
    "meta.llama3-1-8b-instruct-v1:0:128k",
)

Item = dict[str, Any]


class _Facts:
    """What the hash of a resource's number decides: identifiers, a base model, instants."""

    def __init__(self, number: int) -> None:
        self.code = blake2b(str(number).encode(), digest_size=16).hexdigest()
        chance = int(self.code[:8], 16)
        self.base = _BASES[chance % len(_BASES)]
        self.created_at = _FIRST + timedelta(minutes=number % 300_000, milliseconds=chance % 60_000)
        self._steps = (chance % 7919, chance % 4_001, chance % 86_399)

    @property
    def uuid(self) -> str:
        """An identifier in the form of a UUID."""
        code = self.code
        return f"{code[:8]}-{code[8:12]}-4{code[13:16]}-8{code[17:20]}-{code[20:]}"

    def after(self, *steps: int, hours: int = 0) -> str:
        """The creation time, or an instant so many of the resource's own steps later."""
        seconds = sum(self._steps[step] for step in steps)
        return instant(self.created_at + timedelta(seconds=seconds, hours=hours))


def instant(moment: datetime) -> str:
    """An instant as AWS writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def customization_job(number: int, revision: int = 0) -> Item:
    """A finished fine-tuning with its three phases."""
    facts = _Facts(number)
    name = facts.code[:12]
    return {
        "jobArn": f"arn:aws:bedrock:{_HOME}:model-customization-job/{facts.base}/{name}",
        "baseModelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{facts.base}",
        "jobName": f"fine-tuning-{number:07}",
        "status": "Completed",
        "statusDetails": {
            "validationDetails": {
                "status": "Completed",
                "creationTime": facts.after(),
                "lastModifiedTime": facts.after(0),
            },
            "dataProcessingDetails": {
                "status": "Completed",
                "creationTime": facts.after(0),
                "lastModifiedTime": facts.after(0, 1),
            },
            "trainingDetails": {
                "status": "Completed",
                "creationTime": facts.after(0, 1),
                "lastModifiedTime": facts.after(0, 1, 2),
            },
        },
        "lastModifiedTime": facts.after(0, 1, 2, hours=revision),
        "creationTime": facts.after(),
        "endTime": facts.after(0, 1, 2),
        "customModelArn": f"arn:aws:bedrock:{_HOME}:custom-model/{facts.base}/{name[::-1]}",
        "customModelName": f"tuned-{number:07}",
        "customizationType": "FINE_TUNING",
    }


def custom_model(number: int, revision: int = 0) -> Item:
    """A custom model; a revision gives it another name."""
    facts = _Facts(number)
    return {
        "modelArn": f"arn:aws:bedrock:{_HOME}:custom-model/{facts.base}/{facts.code[:12]}",
        "modelName": f"tuned-{number:07}-{revision}",
        "creationTime": facts.after(),
        "baseModelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{facts.base}",
        "baseModelName": facts.base,
        "customizationType": "FINE_TUNING",
        "ownerAccountId": ACCOUNT,
        "modelStatus": "Active",
    }


def invocation_job(number: int, revision: int = 0) -> Item:
    """A finished batch inference job in a VPC."""
    facts = _Facts(number)
    records = 100 + number % 9_000
    return {
        "jobArn": f"arn:aws:bedrock:{_HOME}:model-invocation-job/{facts.code[:12]}",
        "jobName": f"nightly-batch-{number:07}",
        "modelId": facts.base,
        "clientRequestToken": facts.uuid,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/service-role/batch-inference",
        "status": "PartiallyCompleted",
        "message": f"{records % 100} of {records} records could not be processed in time",
        "submitTime": facts.after(),
        "lastModifiedTime": facts.after(0, 1, hours=revision),
        "endTime": facts.after(0, 1),
        "inputDataConfig": {
            "s3InputDataConfig": {
                "s3InputFormat": "JSONL",
                "s3Uri": f"s3://batch-input-{ACCOUNT}/{facts.code}.jsonl",
                "s3BucketOwner": ACCOUNT,
            }
        },
        "outputDataConfig": {
            "s3OutputDataConfig": {
                "s3Uri": f"s3://batch-output-{ACCOUNT}/{facts.code}/",
                "s3EncryptionKeyId": f"arn:aws:kms:{_HOME}:key/{MEMBERSHIP}",
                "s3BucketOwner": ACCOUNT,
            }
        },
        "vpcConfig": {
            "subnetIds": ["subnet-0a1b2c3d", "subnet-4e5f6071"],
            "securityGroupIds": [f"sg-{facts.code[:17]}"],
        },
        "timeoutDurationInHours": 24,
        "jobExpirationTime": facts.after(hours=24),
        "modelInvocationType": "InvokeModel",
        "totalRecordCount": records,
        "processedRecordCount": records,
        "successRecordCount": records - records % 100,
        "errorRecordCount": records % 100,
    }


def inference_job(number: int, revision: int = 0) -> Item:
    """A finished inference job of a trained model in Clean Rooms ML."""
    facts = _Facts(number)
    home = f"arn:aws:cleanrooms-ml:{_HOME}:membership/{MEMBERSHIP}"
    return {
        "trainedModelInferenceJobArn": f"{home}/trained-model-inference-job/{facts.uuid}",
        "configuredModelAlgorithmAssociationArn": (
            f"{home}/configured-model-algorithm-association/{MEMBERSHIP}"
        ),
        "membershipIdentifier": MEMBERSHIP,
        "trainedModelArn": f"{home}/trained-model/{facts.uuid[::-1]}",
        "trainedModelVersionIdentifier": facts.uuid,
        "collaborationIdentifier": MEMBERSHIP,
        "status": "ACTIVE",
        "outputConfiguration": {
            "accept": "text/csv",
            "members": [{"accountId": ACCOUNT}, {"accountId": "444455556666"}],
        },
        "name": f"inference-{number:07}",
        "description": f"Scores of the week, run {number}",
        "metricsStatus": "PUBLISH_SUCCEEDED",
        "metricsStatusDetails": "published",
        "logsStatus": "PUBLISH_FAILED",
        "logsStatusDetails": "no log group",
        "mlModelInferencePayerAccountId": ACCOUNT,
        "createTime": facts.after(),
        "updateTime": facts.after(0, 1, hours=revision),
    }


ITEMS: dict[str, Callable[..., Item]] = {
    "model_customization_jobs": customization_job,
    "custom_models": custom_model,
    "model_invocation_jobs": invocation_job,
    "trained_model_inference_jobs": inference_job,
}
