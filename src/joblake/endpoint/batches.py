"""Invented batch inference jobs (model invocation jobs)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joblake.endpoint.customization import CustomModel, foundation_model_arn
from joblake.endpoint.timeline import Dice, Event, Setting, Timeline

_SUBJECTS = (
    "nightly-product-tags",
    "ticket-sentiment",
    "document-summaries",
    "email-classification",
    "review-translation",
    "transcript-entities",
)
_FOUNDATION_MODELS = (
    "anthropic.claude-3-haiku-20240307-v1:0",
    "amazon.nova-lite-v1:0",
    "meta.llama3-1-70b-instruct-v1:0",
)
_INFERENCE_PROFILE = "inference-profile/us.anthropic.claude-3-5-haiku-20241022-v1:0"
_FATES = {
    "Completed": 0.78,
    "Refused": 0.05,
    "Failed": 0.06,
    "Stopped": 0.05,
    "Slow": 0.03,
    "Expired": 0.03,
}
_REFUSALS = (
    "The input file must contain at least 100 records.",
    "The role does not have permission to read the input data from Amazon S3.",
    "Malformed JSON in record 17 of the input file.",
)
_FAILURES = (
    "Too many records failed: the error threshold of the job was exceeded.",
    "The output data could not be written to Amazon S3: Access Denied.",
)
_PROGRESS_STEPS = 12


@dataclass(frozen=True)
class _Run:
    """When a job passes its stages, if nothing goes wrong before."""

    submitted_at: datetime
    validating_at: datetime
    scheduled_at: datetime
    begins_at: datetime
    ends_at: datetime
    expires_at: datetime
    records: int
    error_share: float

    def counts(self, share: float) -> dict[str, int]:
        """The record counts when this share of the records has been processed."""
        processed = int(self.records * share)
        errors = int(processed * self.error_share)
        return {
            "totalRecordCount": self.records,
            "processedRecordCount": processed,
            "successRecordCount": processed - errors,
            "errorRecordCount": errors,
        }

    def progress(self, until: datetime) -> Iterator[Event]:
        """The counts move in steps from begin to end; `lastModifiedTime` does not."""
        for step in range(1, _PROGRESS_STEPS):
            at = self.begins_at + (self.ends_at - self.begins_at) * step / _PROGRESS_STEPS
            if at < until:
                yield Event(at, self.counts(step / _PROGRESS_STEPS))

    def share_at(self, at: datetime) -> float:
        """The share of the records processed at that instant."""
        return (at - self.begins_at) / (self.ends_at - self.begins_at)


def batches(setting: Setting, models: Sequence[CustomModel]) -> list[Timeline]:
    """All batch inference jobs of a place, about six a day."""
    dice = setting.dice("batches")
    number = dice.randint(1000, 4000)
    timelines = []
    for submitted_at in setting.arrivals("batches", per_day=6):
        number += 1
        fate = dice.pick(_FATES)
        timeout_hours = dice.choice((24, 24, 48, 72))
        run = _run(dice, submitted_at, timeout_hours, fate)
        subject = dice.choice(_SUBJECTS)
        submitted = {
            "jobArn": setting.arn("bedrock", f"model-invocation-job/{dice.identifier()}"),
            "jobName": f"{subject}-{number}",
            "modelId": _model_id(setting, dice, models, submitted_at),
            "submitTime": submitted_at,
            "timeoutDurationInHours": timeout_hours,
            "jobExpirationTime": run.expires_at,
            "modelInvocationType": dice.pick({"InvokeModel": 0.7, "Converse": 0.3}),
            **_places(setting, dice, subject, number),
            **_changed(run.submitted_at, "Submitted"),
        }
        timelines.append(Timeline((Event(submitted_at, submitted), *_events(dice, run, fate))))
    return timelines


def _run(dice: Dice, submitted_at: datetime, timeout_hours: int, fate: str) -> _Run:
    """The stages of a job; slow ones need more time than they have, expired ones never begin."""
    expires_at = submitted_at + timedelta(hours=timeout_hours)
    validating_at = submitted_at + dice.lasts(0.05)
    scheduled_at = validating_at + dice.lasts(0.2)
    begins_at = scheduled_at + min(dice.lasts(1.0, 0.8), timedelta(hours=8))
    length = min(dice.lasts(2.0, 0.8), timedelta(hours=12))
    if fate == "Slow":
        length = (expires_at - begins_at) * 1.2
    return _Run(
        submitted_at=submitted_at,
        validating_at=validating_at,
        scheduled_at=scheduled_at,
        begins_at=begins_at,
        ends_at=begins_at + length,
        expires_at=expires_at,
        records=round(dice.lognormvariate(8.5, 1.0)) + 100,
        error_share=dice.choice((0.0, 0.001, 0.01, 0.04)),
    )


def _events(dice: Dice, run: _Run, fate: str) -> Iterator[Event]:
    """The events of a job's life after it was submitted."""
    yield Event(run.validating_at, _changed(run.validating_at, "Validating"))
    if fate == "Refused":
        refusal = {"message": dice.choice(_REFUSALS), "endTime": run.scheduled_at}
        yield Event(run.scheduled_at, {**_changed(run.scheduled_at, "Failed"), **refusal})
        return
    yield Event(run.scheduled_at, _changed(run.scheduled_at, "Scheduled"))
    if fate == "Expired":
        yield Event(run.expires_at, _ended(run.expires_at, "Expired"))
        return
    yield Event(run.begins_at, {**_changed(run.begins_at, "InProgress"), **run.counts(0)})
    yield from _ending(dice, run, fate)


def _ending(dice: Dice, run: _Run, fate: str) -> Iterator[Event]:
    """The progress of a job that has begun, and its end."""
    if fate in {"Completed", "Slow"}:
        at = run.ends_at if fate == "Completed" else run.expires_at
        yield from run.progress(until=at)
        status = "Completed" if fate == "Completed" else "PartiallyCompleted"
        yield Event(at, {**_ended(at, status), **run.counts(run.share_at(at))})
        return
    at = run.begins_at + dice.lasts((run.ends_at - run.begins_at) / timedelta(hours=2), 0.0)
    yield from run.progress(until=at)
    counts = run.counts(run.share_at(at))
    if fate == "Failed":
        yield Event(at, {**_ended(at, fate), **counts, "message": dice.choice(_FAILURES)})
        return
    stopped_at = at + dice.lasts(0.1)
    yield Event(at, {**_changed(at, "Stopping"), **counts})
    yield Event(stopped_at, _ended(stopped_at, fate))


def _changed(at: datetime, status: str) -> dict[str, Any]:
    return {"status": status, "lastModifiedTime": at}


def _ended(at: datetime, status: str) -> dict[str, Any]:
    return {**_changed(at, status), "endTime": at}


def _model_id(setting: Setting, dice: Dice, models: Sequence[CustomModel], at: datetime) -> str:
    usable = [model for model in models if model.is_usable(at)]
    if usable and dice.happens(0.3):
        return dice.choice(usable).arn
    if dice.happens(0.15):
        return setting.arn("bedrock", _INFERENCE_PROFILE)
    return foundation_model_arn(setting, dice.choice(_FOUNDATION_MODELS))


def _places(setting: Setting, dice: Dice, subject: str, number: int) -> Mapping[str, Any]:
    """Where the job reads and writes, as whom, and through which network."""
    bucket = f"s3://batch-{setting.account_id}-{setting.region_name}"
    source = {"s3InputFormat": "JSONL", "s3Uri": f"{bucket}/input/{subject}/{number}.jsonl"}
    target = {"s3Uri": f"{bucket}/output/{subject}/"}
    if dice.happens(0.3):
        source["s3BucketOwner"] = target["s3BucketOwner"] = setting.account_id
    if dice.happens(0.3):
        target["s3EncryptionKeyId"] = setting.arn("kms", f"key/{dice.uuid()}")
    places: dict[str, Any] = {
        "clientRequestToken": dice.uuid(),
        "roleArn": f"arn:aws:iam::{setting.account_id}:role/service-role/bedrock-batch",
        "inputDataConfig": {"s3InputDataConfig": source},
        "outputDataConfig": {"s3OutputDataConfig": target},
    }
    if dice.happens(0.2):
        places["vpcConfig"] = {
            "subnetIds": [f"subnet-0{dice.identifier()}" for _ in range(2)],
            "securityGroupIds": [f"sg-0{dice.identifier()}"],
        }
    return places
