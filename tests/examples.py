"""How many examples Hypothesis tries of a property: some before each commit, many in CI."""

import os
from typing import Any

from hypothesis import HealthCheck, settings

_EXAMPLES = {"default": 25, "ci": 100}


def choose_profile() -> None:
    """Load the profile of this machine; in CI every run tries the same examples."""
    for name, count in _EXAMPLES.items():
        settings.register_profile(
            name,
            max_examples=count,
            derandomize=name == "ci",
            deadline=None,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )
    settings.load_profile("ci" if os.environ.get("CI") else "default")


def examples(share: float, **options: Any) -> settings:
    """Settings of a property that costs more or less than others: a share of the examples."""
    return settings(max_examples=max(2, round(settings().max_examples * share)), **options)
