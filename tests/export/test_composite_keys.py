"""Resources that several members identify together."""

import tomllib
from datetime import UTC, datetime, timedelta

from joblake.endpoint import FixedResources
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.settings.settings import load_settings

DECLARATION = """
[source.imports]
operation = "bedrock.ListModelImportJobs"
key = ["jobArn", "importedModelArn"]
name = "jobName"
created = "creationTime"
status = "status"
"""
NIGHT = datetime(2026, 11, 10, 2, tzinfo=UTC)


def import_job(job, model, name="nightly"):
    return {
        "jobArn": job,
        "importedModelArn": model,
        "jobName": name,
        "status": "Completed",
        "creationTime": NIGHT,
    }


def test_members_make_a_key_together(serve, lake):
    """Rows that differ in any member of the key are resources of their own, also a null one."""
    declared = tomllib.loads(DECLARATION)["source"]
    options = {"lake": str(lake), "region": ("us-east-1",), "table": ("imports",)}
    settings = load_settings(**options, source=declared)
    alike = [import_job("a", "1"), import_job("a", "2")]
    keyless = [import_job("b", None), import_job("b", None, "weekly")]
    resources = FixedResources({"ListModelImportJobs": [*alike, *keyless]})
    serve(resources, catalogue=settings.catalogue)

    def night(number):
        clock = {"clock": lambda: NIGHT + timedelta(days=number)}
        (result,) = export(plan(settings, **clock), **clock).scopes
        return result.outcome, result.added, result.changed, result.vanished

    assert night(0) == ("complete", 4, 0, 0)
    assert night(1) == ("complete", 0, 0, 0)
    resources.lists["ListModelImportJobs"] = [alike[0], import_job("a", "2", "hourly"), *keyless]
    assert night(2) == ("complete", 0, 1, 0)
    resources.lists["ListModelImportJobs"] = [import_job("a", "2", "hourly"), *keyless]
    assert night(3) == ("complete", 0, 0, 1)
