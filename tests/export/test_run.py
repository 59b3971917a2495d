"""What the scopes of a run share: one set of connections, and with it one pace."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from exporting import INFERENCES, MEMBERSHIP, inference_job
from joblake.aws.connections import Connections
from joblake.endpoint import FixedResources
from joblake.export.export import export
from joblake.export.planning import plan
from joblake.settings.settings import load_settings

REGIONS = ("us-east-1", "eu-west-1")
SCOPES = 9
PER_SECOND = 20


def test_two_runs_at_once_in_one_process_keep_what_is_theirs(serve, tmp_path, monkeypatch):
    """Each makes its connections once, and its requests to an account and region keep one pace."""
    asked_at = {region: [] for region in REGIONS}
    made = Counter()

    def note(call, _answer):
        if call.operation == INFERENCES:
            asked_at[call.region_name].append(time.monotonic())

    class Counted(Connections):
        def __init__(self, *arguments, **options):
            made[options["fallback_region"]] += 1
            super().__init__(*arguments, **options)

    serve(FixedResources({INFERENCES: [inference_job(1)]}), intercept=note)
    runs = [
        plan(
            load_settings(
                lake=str(tmp_path / region),
                region=(region,),
                table=("trained_model_inference_jobs",),
                parent=tuple(MEMBERSHIP.replace("1111", f"{n:04}", 1) for n in range(SCOPES)),
                max_requests_per_second=PER_SECOND,
                max_workers_per_region=SCOPES,
            )
        )
        for region in REGIONS
    ]
    monkeypatch.setattr("joblake.export.run.Connections", Counted)
    with ThreadPoolExecutor(len(runs)) as pool:
        results = list(pool.map(export, runs))
    assert [len(result.scopes) for result in results] == [SCOPES] * 2
    assert all(result.is_good for result in results)
    assert made == dict.fromkeys(REGIONS, 1)
    for instants in asked_at.values():
        assert len(instants) == SCOPES
        # The first ones may be late, the clock of the test is another: half of the pace is plenty.
        assert instants[-1] - instants[0] > (SCOPES - 1) / PER_SECOND / 2, [
            round(after - before, 3) for before, after in pairwise(instants)
        ]
