"""Invented Clean Rooms memberships and the inference jobs of trained models in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joblake.endpoint.timeline import Dice, Event, Setting, Timeline

_COLLABORATIONS = (
    ("Ad measurement", "ACTIVE"),
    ("Shared churn model", "ACTIVE"),
    ("Pilot with retail partner", "REMOVED"),
)
_PARTNER_ACCOUNT_ID = "123456789012"
_FATES = {"ACTIVE": 0.82, "CREATE_FAILED": 0.1, "INACTIVE": 0.08}
_SUBJECTS = ("lookalike-scores", "churn-scores", "propensity-scores", "reach-forecast")


@dataclass(frozen=True)
class Membership:
    """One membership of an account in a collaboration."""

    identifier: str
    is_active: bool
    timeline: Timeline


def memberships(setting: Setting) -> list[Membership]:
    """The memberships of a place: two active ones and a removed one, all older than the world."""
    dice = setting.dice("memberships")
    return [_membership(setting, dice, name, status) for name, status in _COLLABORATIONS]


def inference_jobs(setting: Setting, membership: Membership) -> list[Timeline]:
    """The inference jobs of an active membership, about two a day."""
    topic = f"inference {membership.identifier}"
    dice = setting.dice(topic)
    collaboration = str(membership.timeline.events[0].members["collaborationId"])
    prefix = setting.arn("cleanrooms-ml", f"membership/{membership.identifier}")
    algorithm = f"{prefix}/configured-model-algorithm-association/{dice.uuid()}"
    models = [(f"{prefix}/trained-model/{dice.uuid()}", dice.uuid()) for _ in range(3)]
    timelines = []
    for number, created_at in enumerate(setting.arrivals(topic, per_day=2), start=1):
        trained_model_arn, version = dice.choice(models)
        created = {
            "trainedModelInferenceJobArn": f"{prefix}/trained-model-inference-job/{dice.uuid()}",
            "membershipIdentifier": membership.identifier,
            "trainedModelArn": trained_model_arn,
            "collaborationIdentifier": collaboration,
            "name": f"{dice.choice(_SUBJECTS)}-{number:04d}",
            "createTime": created_at,
            "outputConfiguration": _output(setting, dice),
            "mlModelInferencePayerAccountId": setting.account_id,
            **_changed(created_at, "CREATE_PENDING"),
        }
        if dice.happens(0.8):
            created["configuredModelAlgorithmAssociationArn"] = algorithm
        if dice.happens(0.6):
            created["trainedModelVersionIdentifier"] = version
        if dice.happens(0.5):
            created["description"] = "Scores for the weekly audience refresh"
        timelines.append(Timeline((Event(created_at, created), *_events(dice, created_at))))
    return timelines


def _membership(setting: Setting, dice: Dice, name: str, status: str) -> Membership:
    identifier, collaboration = dice.uuid(), dice.uuid()
    created_at = setting.begins_at - timedelta(
        days=dice.randint(60, 400), minutes=dice.randint(1, 900)
    )
    is_creator = dice.happens(0.5)
    creator = setting.account_id if is_creator else _PARTNER_ACCOUNT_ID
    members = {
        "id": identifier,
        "arn": setting.arn("cleanrooms", f"membership/{identifier}"),
        "collaborationArn": (
            f"arn:aws:cleanrooms:{setting.region_name}:{creator}:collaboration/{collaboration}"
        ),
        "collaborationId": collaboration,
        "collaborationCreatorAccountId": creator,
        "collaborationCreatorDisplayName": "Example Corp" if is_creator else "Example Partner",
        "collaborationName": name,
        "createTime": created_at,
        "updateTime": created_at + timedelta(days=dice.randint(1, 50)),
        "status": status,
        "memberAbilities": ["CAN_QUERY", "CAN_RECEIVE_RESULTS"],
        "mlMemberAbilities": {"customMLMemberAbilities": ["CAN_RECEIVE_INFERENCE_OUTPUT"]},
        "paymentConfiguration": _payment(),
    }
    timeline = Timeline((Event(created_at, members),))
    return Membership(identifier, status == "ACTIVE", timeline)


def _payment() -> Mapping[str, Any]:
    pays, others_pay = {"isResponsible": True}, {"isResponsible": False}
    learning = {
        "modelTraining": others_pay,
        "modelInference": pays,
        "syntheticDataGeneration": others_pay,
    }
    return {"queryCompute": pays, "machineLearning": learning, "jobCompute": pays}


def _output(setting: Setting, dice: Dice) -> Mapping[str, Any]:
    output: dict[str, Any] = {"members": [{"accountId": setting.account_id}]}
    if dice.happens(0.8):
        output["accept"] = dice.choice(("text/csv", "application/json"))
    return output


def _events(dice: Dice, created_at: datetime) -> Iterator[Event]:
    """The events of a job's life after its creation."""
    began_at = created_at + dice.lasts(0.15)
    yield Event(began_at, _changed(began_at, "CREATE_IN_PROGRESS"))
    at = began_at + dice.lasts(1.5, 0.6)
    fate = dice.pick(_FATES)
    if fate == "INACTIVE":
        cancelling_at = at + dice.lasts(0.05)
        yield Event(at, _changed(at, "CANCEL_PENDING"))
        yield Event(cancelling_at, _changed(cancelling_at, "CANCEL_IN_PROGRESS"))
        at = cancelling_at + dice.lasts(0.1)
    yield Event(at, {**_changed(at, fate), **_published(dice)})


def _changed(at: datetime, status: str) -> dict[str, Any]:
    return {"status": status, "updateTime": at}


def _published(dice: Dice) -> dict[str, str]:
    """Whether the metrics and logs of a finished job were published; a failure has its reason."""
    published: dict[str, str] = {}
    for what in ("metrics", "logs"):
        is_published = dice.happens(0.9)
        published[f"{what}Status"] = "PUBLISH_SUCCEEDED" if is_published else "PUBLISH_FAILED"
        if not is_published:
            published[f"{what}StatusDetails"] = f"The {what} could not be written: Access Denied."
    return published
