"""Accounts x regions x tables: which scopes a run has, and whose credentials reach them."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporting import (
    ACCOUNT,
    JOBS,
    MEMBERSHIP,
    MEMBERSHIPS,
    REGION,
    customization_job,
    listing_rows,
    membership_of,
    run_export,
)
from faults import OnPage, Switch, members
from joblake.aws.credentials import Credentials
from joblake.aws.regions import service_regions
from joblake.endpoint import FixedResources, error_answer
from joblake.endpoint.identity import sts_error_answer
from joblake.errors import CredentialsError, UsageError
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.settings.settings import load_settings

OTHER, THIRD = "444455556666", "777788889999"
ROLE, THIRD_ROLE = (f"arn:aws:iam::{account}:role/reader" for account in (OTHER, THIRD))
ONE_TABLE = ("model_customization_jobs",)
TRAINED = "trained_model_inference_jobs"


@pytest.fixture
def switch():
    return Switch()


@pytest.fixture
def resources():
    return FixedResources()


@pytest.fixture
def server(serve, resources, switch):
    return serve(resources, intercept=switch)


@pytest.fixture
def profiles(monkeypatch):
    """Write the user's AWS configuration: sections by name, keys and values."""

    def write(**sections):
        config, credentials = Path("aws-config"), Path("aws-credentials")
        text = {"config": "", "credentials": ""}
        for name, keys in sections.items():
            for kind, title in (("config", f"profile {name}"), ("credentials", name)):
                is_secret = kind == "credentials"
                lines = [f"{k} = {v}" for k, v in keys.items() if k.startswith("aws_") == is_secret]
                text[kind] += "\n".join([f"[{title}]", *lines, ""]) if lines else ""
        config.write_text(text["config"])
        credentials.write_text(text["credentials"])
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))

    return write


def keys_of(account):
    return {"aws_access_key_id": f"AKIA{account}", "aws_secret_access_key": "secret"}


def planned(**options):
    """The places of a run, in order."""
    return [
        (p.scope.table, p.scope.account_id, p.scope.region_name)
        for p in plan(load_settings(lake="lake", **options)).scopes
    ]


def refuse(code, is_meant, status=403):
    """An interceptor that refuses the calls that are meant, each in its service's protocol."""

    def intercept(call, _answer):
        if not is_meant(call):
            return None
        answer = sts_error_answer if call.client == "sts" else error_answer
        return answer(code, "as arranged", status)

    return intercept


# --- accounts --------------------------------------------------------------------------------


def test_profiles_and_roles_are_accounts(server, profiles):
    """A profile's own credentials, a role assumed with them, and one assumed with the default."""
    profiles(audit=keys_of(OTHER))
    result = run_export(
        Path("lake"),
        account=(
            {},
            {"profile": "audit"},
            {
                "role_arn": THIRD_ROLE,
                "external_id": "a/b:c",
                "session_name": "night-1",
                "profile": "audit",
            },
        ),
    )
    assert [(scope.account_id, scope.outcome) for scope in result.scopes] == [
        (ACCOUNT, "complete"),
        (OTHER, "complete"),
        (THIRD, "complete"),
    ]
    (assumed,) = [call for call in server.calls if call.operation == "AssumeRole"]
    assert assumed.account_id == OTHER  # whose credentials assume it
    assert assumed.parameters["RoleArn"] == THIRD_ROLE
    assert assumed.parameters["ExternalId"] == "a/b:c"
    assert assumed.parameters["RoleSessionName"] == "night-1"
    asked = {call.account_id for call in server.calls if call.operation == JOBS}
    assert asked == {ACCOUNT, OTHER, THIRD}


def test_scopes_are_accounts_by_regions_by_tables(server):
    """Every table in every region of every account, table by table."""
    scopes = planned(
        role_arn=(ROLE, THIRD_ROLE),
        region=("us-east-1", "eu-west-1"),
        table=("custom_models", "model_customization_jobs"),
    )
    assert scopes == [
        (table, account, region)
        for table in ("custom_models", "model_customization_jobs")
        for account in (OTHER, THIRD)
        for region in ("us-east-1", "eu-west-1")
    ]
    assert {call.client for call in server.calls} == {"sts"}


@pytest.mark.usefixtures("server")
def test_an_account_may_have_regions_tables_and_memberships_of_its_own():
    """What one account says of itself holds for it alone."""
    scopes = plan(
        load_settings(
            lake="lake",
            region=("us-east-1",),
            table=("custom_models",),
            account=(
                {},
                {
                    "role_arn": ROLE,
                    "region": "eu-west-1,eu-west-2",
                    "table": "model_customization_jobs",
                },
                {"role_arn": THIRD_ROLE, "table": TRAINED, "parent": MEMBERSHIP},
            ),
        )
    ).scopes
    assert [str(p.scope) for p in scopes] == [
        f"custom_models {ACCOUNT} us-east-1",
        f"model_customization_jobs {OTHER} eu-west-1",
        f"model_customization_jobs {OTHER} eu-west-2",
        f"{TRAINED} {THIRD} us-east-1 {MEMBERSHIP}",
    ]
    assert scopes[1].credentials == Credentials(role_arn=ROLE)


@pytest.mark.usefixtures("server")
def test_an_account_with_no_region_is_listed_in_its_profiles(profiles, monkeypatch):
    """The region that stands in a profile is where its account is listed."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    profiles(audit={**keys_of(OTHER), "region": "eu-west-3"})
    assert planned(account=({"profile": "audit"},), table=ONE_TABLE) == [
        (*ONE_TABLE, OTHER, "eu-west-3")
    ]


@pytest.mark.usefixtures("server")
def test_the_same_account_twice_is_refused(profiles):
    """One scope has one way to it: two profiles of one account are a mistake."""
    profiles(one=keys_of(OTHER), two=keys_of(OTHER))
    with pytest.raises(UsageError, match=rf"two of the accounts are {OTHER} \(profile one, profi"):
        planned(account=({"profile": "one"}, {"profile": "two"}))
    with pytest.raises(UsageError, match=rf"two of the accounts are {OTHER} \(role .*, profile t"):
        planned(account=({"role_arn": ROLE}, {"profile": "two"}))
    assert not Path("lake").exists()


@pytest.mark.usefixtures("server")
def test_credentials_of_another_account_than_named_are_refused():
    """account_id holds the credentials to what they are thought to be."""
    with pytest.raises(CredentialsError, match=f"default credentials are of account {ACCOUNT}, no"):
        planned(account=({"account_id": OTHER},))


# --- denied accounts -------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_a_role_that_may_not_be_assumed_is_denied_and_the_others_go_on(switch):
    """A refused AssumeRole is the outcome of its account's scopes, each on record."""
    switch.faults = [
        refuse("AccessDenied", lambda call: call.parameters.get("RoleArn") == ROLE),
    ]
    result = run_export(Path("lake"), account=({"role_arn": ROLE}, {"role_arn": THIRD_ROLE}))
    assert [(s.account_id, s.outcome) for s in result.scopes] == [
        (OTHER, "denied"),
        (THIRD, "complete"),
    ]
    (row,) = [row for row in listing_rows(Path("lake")) if row["account_id"] == OTHER]
    assert (row["outcome"], row["error"]) == ("denied", "AccessDenied: as arranged")


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("where", ["account_id", "role_arn", "sso_account_id"])
def test_a_profile_that_fails_is_denied_where_its_account_is_known(switch, profiles, where):
    """From the settings or from the profile itself: its scopes are denied, the others go on."""
    account, keys = {"profile": "audit"}, keys_of(OTHER)
    match where:
        case "account_id":
            account["account_id"] = OTHER
        case "role_arn":
            keys |= {"role_arn": ROLE, "source_profile": "audit"}
        case "sso_account_id":  # nobody has signed in
            start = "https://example.awsapps.com/start"
            keys = {"sso_start_url": start, "sso_region": REGION, "sso_role_name": "reader"}
            keys["sso_account_id"] = OTHER
    profiles(audit=keys)
    switch.faults = [refuse("ExpiredToken", lambda call: call.account_id == OTHER)]
    result = run_export(Path("lake"), account=({}, account))
    assert [(s.account_id, s.outcome) for s in result.scopes] == [
        (ACCOUNT, "complete"),
        (OTHER, "denied"),
    ]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("region", [REGION, "us-east-?", "all"])
def test_a_profile_that_does_not_exist_is_denied_where_all_else_is_known(region):
    """With its account and regions its scopes have names: they are denied, the others go on."""
    nobody = {"profile": "nobody", "account_id": OTHER}
    result = run_export(Path("lake"), account=({}, nobody), region=(region,))
    outcomes = {(s.account_id, s.outcome) for s in result.scopes}
    assert outcomes == {(ACCOUNT, "complete"), (OTHER, "denied")}
    names = [s.account_id for s in result.scopes]
    assert names.count(ACCOUNT) == names.count(OTHER)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("keys", "words"), [({"account_id": OTHER}, "its region"), ({}, "its account_id")]
)
def test_a_profile_that_does_not_exist_ends_the_run_where_its_scopes_have_no_names(keys, words):
    """No region is taken from elsewhere: the row would be of a scope that nobody meant."""
    with pytest.raises(CredentialsError, match=rf"profile \(nobody\) could not .*{words}"):
        planned(account=({}, {"profile": "nobody", **keys}))


@pytest.mark.usefixtures("server")
def test_a_profile_that_fails_and_says_nothing_of_its_account_ends_the_run(switch, profiles):
    """What cannot be named cannot be put on record, nor left out in silence."""
    profiles(audit=keys_of(OTHER))
    switch.faults = [refuse("ExpiredToken", lambda call: call.account_id == OTHER)]
    with pytest.raises(CredentialsError, match=r"\(profile audit\).*its account_id"):
        planned(account=({}, {"profile": "audit"}))
    assert not Path("lake").exists()


@pytest.mark.parametrize(
    "accounts",
    [
        ({"role_arn": ROLE}, {"role_arn": THIRD_ROLE}),
        ({"account_id": ACCOUNT}, {"role_arn": ROLE}),
        ({"account_id": ACCOUNT},),
    ],
)
def test_where_no_account_can_be_used_no_listing_begins(server, switch, accounts):
    """Whatever the accounts are: without any that STS accepts there is no run."""
    switch.faults = [refuse("AccessDenied", lambda call: call.client == "sts")]
    with pytest.raises(CredentialsError, match="AccessDenied: as arranged"):
        planned(account=accounts)
    assert not Path("lake").exists()
    assert {call.client for call in server.calls} == {"sts"}


@pytest.mark.usefixtures("server")
def test_one_role_that_works_is_enough(switch):
    """Roles are tried until one is good, whatever became of the default credentials."""
    switch.faults = [
        refuse(
            "AccessDenied",
            lambda call: (
                call.parameters.get("RoleArn") == ROLE
                or (call.operation == "GetCallerIdentity" and call.account_id == ACCOUNT)
            ),
        )
    ]
    accounts = ({"account_id": ACCOUNT}, {"role_arn": ROLE}, {"role_arn": THIRD_ROLE})
    assert [scope[1] for scope in planned(account=accounts, table=ONE_TABLE)] == [
        ACCOUNT,
        OTHER,
        THIRD,
    ]


def test_a_role_is_assumed_again_when_its_time_runs_out(server, resources, switch):
    """A listing outlives its role's session: each page is signed with one that is still good.

    The sessions given here have five minutes left, which botocore takes for too little, and the
    endpoint takes each for one request only: a listing that went on with an old one would fail.
    """
    resources.lists[JOBS] = [customization_job(number) for number in range(6)]
    soon = datetime.now(UTC) + timedelta(minutes=5)
    used = set()

    def assume(call, answer):
        if call.operation != "AssumeRole":
            return None
        key = b"<AccessKeyId>ASIA%04d" % call.number
        text = answer.body.replace(b"<AccessKeyId>ASIA", key)
        return replace(answer, body=re.sub(rb"(?<=<Expiration>)[^<]*", _instant(soon), text))

    def expire(call, _answer):
        if call.operation != JOBS or call.access_key_id not in used:
            used.add(call.access_key_id)
            return None
        return error_answer("ExpiredTokenException", "The security token is expired", 403)

    switch.faults = [assume, expire]
    (result,) = run_export(Path("lake"), account=({"role_arn": ROLE},), page_size=2).scopes
    assert (result.outcome, result.error, result.listed) == ("complete", None, 6)
    keys = [call.access_key_id for call in server.calls if call.operation == JOBS]
    assert len(keys) == len(set(keys)) == 3
    assert all(key.endswith(OTHER) for key in keys)


def _instant(instant):
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}".encode()


# --- regions ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_all_means_the_regions_where_botocore_knows_the_service():
    """Bedrock's for its tables, those of Clean Rooms for memberships; no other partition's."""
    scopes = planned(region=("all",))
    for table in {scope[0] for scope in scopes}:
        regions = [region for name, _, region in scopes if name == table]
        service = "cleanrooms" if table == "memberships" else "bedrock"
        known = {r for r in service_regions(service) if not r.startswith(("us-gov", "us-iso"))}
        assert regions == sorted(known & service_regions("sts") - _other_partitions())
        assert len(regions) > 5


def _other_partitions():
    prefixes = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")
    return {region for region in service_regions("sts") if region.startswith(prefixes)}


@pytest.mark.usefixtures("server")
def test_a_pattern_leaves_out_what_a_region_does_not_offer():
    """A pattern chooses among the regions with the service; a name is taken at its word."""
    pattern = "ap-south*-[12]"
    offered = {region for table, _, region in planned(region=(pattern,)) if table == "memberships"}
    assert offered == {"ap-southeast-1", "ap-southeast-2"}
    named = planned(region=("ap-south-1", "ap-south-1"), table=(TRAINED,))
    assert named == [("memberships", ACCOUNT, "ap-south-1")]
    with pytest.raises(UsageError, match="none of the regions offers any of the tables"):
        planned(region=("ap-south-?",), table=(TRAINED,))


@pytest.mark.usefixtures("server")
def test_the_partition_is_that_of_the_role_or_of_the_default_region(monkeypatch):
    """`all` never leaves the partition that the credentials are good for."""
    role = f"arn:aws-us-gov:iam::{OTHER}:role/reader"
    scopes = planned(region=("all",), account=({}, {"role_arn": role}), table=ONE_TABLE)
    gov = ["us-gov-east-1", "us-gov-west-1"]
    assert [region for _, account, region in scopes if account == OTHER] == gov
    assert not {region for _, account, region in scopes if account == ACCOUNT} & set(gov)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-gov-west-1")
    assert [scope[2] for scope in planned(region=("all",), table=ONE_TABLE)] == gov


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("account", [{}, {"role_arn": ROLE}, {"profile": "audit"}])
def test_a_region_that_is_not_opted_in_is_unsupported(switch, profiles, account):
    """Its refusal means the region and not the credentials, as STS of the home region shows."""
    profiles(audit=keys_of(OTHER))
    closed = "af-south-1"
    switch.faults = [refuse("UnrecognizedClientException", lambda c: c.region_name == closed)]
    result = run_export(Path("lake"), account=(account,), region=(closed, REGION))
    assert [(s.region_name, s.outcome) for s in result.scopes] == [
        (closed, "unsupported"),
        (REGION, "complete"),
    ]


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("account", [{}, {"role_arn": ROLE}])
def test_a_default_region_that_is_not_opted_in_is_unsupported(switch, monkeypatch, account):
    """Where STS of the default region itself refuses, that of the partition's home decides."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "af-south-1")
    switch.faults = [refuse("InvalidClientTokenId", lambda c: c.region_name == "af-south-1")]
    result = run_export(Path("lake"), account=(account,))
    assert [(s.region_name, s.outcome) for s in result.scopes] == [("af-south-1", "unsupported")]
    assert result.is_good


@pytest.mark.usefixtures("server")
def test_credentials_that_are_no_longer_good_are_denied(switch):
    """The same refusal is denied when STS refuses too: nothing is said of the region."""
    asked = []

    def expire(call):
        asked.append(call.operation)
        return JOBS in asked

    switch.faults = [refuse("InvalidClientTokenId", expire)]
    result = run_export(Path("lake"))
    assert [scope.outcome for scope in result.scopes] == ["denied"]


# --- memberships -----------------------------------------------------------------------------


@pytest.mark.usefixtures("server")
def test_memberships_are_looked_for_again_with_every_try(resources, switch):
    """What a failed listing did not show, the next try of the same plan finds."""
    resources.lists[MEMBERSHIPS] = [membership_of(MEMBERSHIP)]
    switch.faults = [refuse("InternalServerException", lambda c: c.operation == MEMBERSHIPS, 500)]
    run = plan(load_settings(lake="lake", table=(TRAINED,), max_attempts=1))
    (failed,) = export(run).scopes
    assert (failed.table_name, failed.outcome) == ("memberships", "failed")
    switch.faults = []
    listed, found = export(run).scopes
    assert (listed.table_name, listed.outcome) == ("memberships", "complete")
    assert (found.outcome, found.parent) == ("complete", MEMBERSHIP)


@pytest.mark.usefixtures("server")
def test_memberships_before_a_failed_page_are_exported(resources, switch):
    """What the pages before the failure showed is listed; the failure is on record beside it."""
    found, lost = MEMBERSHIP, MEMBERSHIP.replace("1111", "7777")
    resources.lists[MEMBERSHIPS] = [membership_of(found), membership_of(lost)]
    switch.faults = [OnPage(members(nextToken="more"), operation=MEMBERSHIPS)]
    switch.faults.append(refuse("AccessDeniedException", lambda c: "nextToken" in c.parameters))
    switch.faults.reverse()
    result = run_export(Path("lake"), table=(TRAINED,))
    assert [(s.parent, s.outcome) for s in result.scopes] == [
        (None, "partial"),
        (found, "complete"),
        (lost, "complete"),
    ]
    assert {row["outcome"] for row in listing_rows(Path("lake"))} == {"complete", "partial"}
