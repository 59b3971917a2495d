"""Invented model customization jobs and the custom models they make."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from joblake.endpoint.timeline import Dice, Event, Setting, Timeline


@dataclass(frozen=True)
class BaseModel:
    """A foundation model that can be customized.

    `typical_hours` is the median run of a job in the world's first days; each day makes the runs
    longer by `daily_drift` of it, so that reports have something to find.
    """

    name: str
    version: str
    typical_hours: float
    daily_drift: float = 0.0

    @property
    def identifier(self) -> str:
        """The model's id: name and version."""
        return f"{self.name}:{self.version}"


BASE_MODELS = (
    BaseModel("amazon.nova-micro-v1", "0:128k", 0.6),
    BaseModel("amazon.nova-lite-v1", "0:300k", 1.8),
    BaseModel("amazon.titan-text-express-v1", "0:8k", 3.5),
    BaseModel("meta.llama3-1-8b-instruct-v1", "0:128k", 6.0, daily_drift=0.025),
    BaseModel("anthropic.claude-3-haiku-20240307-v1", "0:200k", 11.0),
)

_SUBJECTS = (
    "support-summaries",
    "invoice-fields",
    "claims-triage",
    "catalog-copy",
    "contract-clauses",
    "call-notes",
    "churn-reasons",
)
_CUSTOMIZATIONS = {
    "FINE_TUNING": ("ft", 0.6),
    "CONTINUED_PRE_TRAINING": ("cpt", 0.14),
    "DISTILLATION": ("dst", 0.13),
    "REINFORCEMENT_FINE_TUNING": ("rft", 0.13),
}
_FATES = {"Completed": 0.8, "Failed": 0.12, "Stopped": 0.08}
_PHASES = ("validationDetails", "dataProcessingDetails", "trainingDetails")
_PHASE_SHARES = (0.06, 0.14, 0.8)
_OTHER_ACCOUNT_IDS = ("444455556666", "777788889999")


@dataclass(frozen=True)
class CustomModel:
    """A custom model, and from when on jobs of its place may use it (None: never)."""

    arn: str
    base: BaseModel
    usable_from: datetime | None
    timeline: Timeline

    def is_usable(self, at: datetime) -> bool:
        """Whether jobs can be based on the model at that instant."""
        deleted_at = self.timeline.deleted_at
        return (
            self.usable_from is not None
            and self.usable_from <= at
            and (deleted_at is None or at < deleted_at)
        )


@dataclass
class Customizations:
    """The jobs and models of one place."""

    jobs: list[Timeline] = field(default_factory=list)
    models: list[CustomModel] = field(default_factory=list)


@dataclass(frozen=True)
class _Job:
    """The facts of a job that are settled when it is created."""

    arn: str
    name: str
    model_name: str
    base: BaseModel
    base_model_arn: str
    customization_type: str
    created_at: datetime
    phase_lengths: Sequence[timedelta]

    def phase_starts(self) -> list[datetime]:
        """When validation, data processing and training begin if nothing goes wrong."""
        validation, processing, _ = self.phase_lengths
        return [
            self.created_at,
            self.created_at + validation,
            self.created_at + validation + processing,
        ]


def customizations(setting: Setting) -> Customizations:
    """All customization jobs and custom models of a place, about three jobs a day."""
    dice = setting.dice("customization")
    made = Customizations()
    number = dice.randint(100, 400)
    for created_at in setting.arrivals("customization", per_day=3):
        number += 1
        job = _job(setting, dice, made.models, created_at, number)
        fate = dice.pick(_FATES)
        model_arn = f"custom-model/{job.base.identifier}/{dice.identifier()}"
        finish = _finish(dice, job, fate, setting.arn("bedrock", model_arn))
        made.jobs.append(Timeline((*_begin(job, finish[0].at), *finish)))
        if fate == "Completed":
            made.models.append(_trained_model(setting, dice, job, finish[-1]))
    made.models += _foreign_models(setting)
    return made


def foundation_model_arn(setting: Setting, identifier: str) -> str:
    """The ARN of a foundation model, which belongs to no account."""
    return f"arn:aws:bedrock:{setting.region_name}::foundation-model/{identifier}"


def _job(
    setting: Setting,
    dice: Dice,
    models: Sequence[CustomModel],
    created_at: datetime,
    number: int,
) -> _Job:
    base = dice.choice(BASE_MODELS)
    base_model_arn = foundation_model_arn(setting, base.identifier)
    usable = [model for model in models if model.base == base and model.is_usable(created_at)]
    if usable and dice.happens(0.25):
        base_model_arn = dice.choice(usable).arn
    kind = dice.pick({name: weight for name, (_, weight) in _CUSTOMIZATIONS.items()})
    subject = dice.choice(_SUBJECTS)
    age_days = (created_at - setting.begins_at) / timedelta(days=1)
    hours = base.typical_hours * (1 + base.daily_drift * age_days)
    return _Job(
        arn=setting.arn(
            "bedrock", f"model-customization-job/{base.identifier}/{dice.identifier()}"
        ),
        name=f"{subject}-{_CUSTOMIZATIONS[kind][0]}-{number:04d}",
        model_name=f"{subject}-{base.name.partition('.')[2]}-{number:04d}",
        base=base,
        base_model_arn=base_model_arn,
        customization_type=kind,
        created_at=created_at,
        phase_lengths=[dice.lasts(hours * share, 0.3) for share in _PHASE_SHARES],
    )


def _begin(job: _Job, ends_at: datetime) -> Iterator[Event]:
    """The job's creation and the begin of each phase that it reaches."""
    starts = job.phase_starts()
    created = {
        "jobArn": job.arn,
        "baseModelArn": job.base_model_arn,
        "jobName": job.name,
        "creationTime": job.created_at,
        "customizationType": job.customization_type,
    }
    for index, start in enumerate(starts):
        if start < ends_at:
            change = _change(starts[: index + 1], start, "InProgress")
            yield Event(start, {**created, **change} if index == 0 else change)


def _finish(dice: Dice, job: _Job, fate: str, model_arn: str) -> list[Event]:
    """The events that end the job; the last one has its `endTime`."""
    starts = job.phase_starts()
    if fate == "Completed":
        at = starts[-1] + job.phase_lengths[-1]
        made = {"endTime": at, "customModelArn": model_arn, "customModelName": job.model_name}
        return [Event(at, {**_change(starts, at, fate), **made})]
    phase = dice.choices(range(3), (3, 1, 4))[0]
    length = job.phase_lengths[phase] / timedelta(hours=1)
    at = starts[phase] + dice.lasts(length * dice.uniform(0.2, 0.6), 0.0)
    reached = starts[: phase + 1]
    if fate == "Failed":
        return [Event(at, {**_change(reached, at, fate), "endTime": at})]
    stopped_at = at + dice.lasts(0.2)
    return [
        Event(at, _change(reached, at, "Stopping")),
        Event(stopped_at, {**_change(reached, stopped_at, fate), "endTime": stopped_at}),
    ]


def _change(starts: Sequence[datetime], at: datetime, status: str) -> dict[str, Any]:
    """The job and its latest phase get `status` at that instant; later phases have not begun."""
    details: dict[str, Any] = {}
    for index, phase in enumerate(_PHASES):
        if index >= len(starts):
            details[phase] = {"status": "NotStarted"}
            continue
        is_latest = index == len(starts) - 1
        details[phase] = {
            "status": status if is_latest else "Completed",
            "creationTime": starts[index],
            "lastModifiedTime": at if is_latest else starts[index + 1],
        }
    return {"status": status, "statusDetails": details, "lastModifiedTime": at}


def _trained_model(setting: Setting, dice: Dice, job: _Job, finish: Event) -> CustomModel:
    """The model that a completed job leaves; one in eight is deleted some days later."""
    usable_at = finish.at + dice.lasts(0.1)
    is_failed = dice.happens(0.05)
    arn = str(finish.members["customModelArn"])
    members = {
        "modelArn": arn,
        "modelName": job.model_name,
        "creationTime": finish.at,
        "baseModelArn": job.base_model_arn,
        "baseModelName": job.base.name,
        "customizationType": job.customization_type,
        "ownerAccountId": setting.account_id,
        "modelStatus": "Creating",
    }
    created = Event(finish.at, members)
    settled = Event(usable_at, {"modelStatus": "Failed" if is_failed else "Active"})
    deleted_at = usable_at + dice.lasts(24 * 6, 0.5) if dice.happens(1 / 8) else None
    timeline = Timeline((created, settled), deleted_at)
    return CustomModel(arn, job.base, None if is_failed else usable_at, timeline)


def _foreign_models(setting: Setting) -> Iterator[CustomModel]:
    """Models that no job here made: one shared by another account, and one imported."""
    dice = setting.dice("foreign models")
    owner = next(account for account in _OTHER_ACCOUNT_IDS if account != setting.account_id)
    lender = replace(setting, account_id=owner)
    shared, imported = BASE_MODELS[1], BASE_MODELS[3]
    shared_arn = lender.arn("bedrock", f"custom-model/{shared.identifier}/{dice.identifier()}")
    imported_arn = setting.arn("bedrock", f"custom-model/imported/{dice.identifier()}")
    for arn, name, base, kind, place in (
        (shared_arn, "shared-tone-of-voice", shared, "FINE_TUNING", lender),
        (imported_arn, "imported-routing", imported, "IMPORTED", setting),
    ):
        created_at = setting.begins_at + dice.lasts(24 * setting.days / 4)
        members = {
            "modelArn": arn,
            "modelName": name,
            "creationTime": created_at,
            "baseModelArn": foundation_model_arn(place, base.identifier),
            "baseModelName": base.name,
            "customizationType": kind,
            "ownerAccountId": place.account_id,
            "modelStatus": "Active",
        }
        yield CustomModel(arn, base, None, Timeline((Event(created_at, members),)))
