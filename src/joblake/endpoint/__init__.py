"""The embedded AWS endpoint: list operations over real HTTP, for the demo, the tests and trials.

It stands where AWS stands: boto3 and the aws CLI talk to it without knowing. Names are imported
when they are first used, so that this package costs nothing until an endpoint is wanted.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from joblake.endpoint.resources import FixedResources, Place, Resources
    from joblake.endpoint.server import EndpointServer, serve_forever
    from joblake.endpoint.wire import Answer, Call, ServiceError, error_answer, json_answer
    from joblake.endpoint.world import World

__all__ = [
    "Answer",
    "Call",
    "EndpointServer",
    "FixedResources",
    "Place",
    "Resources",
    "ServiceError",
    "World",
    "error_answer",
    "json_answer",
    "serve_forever",
]

_MODULES = {
    "Answer": "wire",
    "Call": "wire",
    "EndpointServer": "server",
    "FixedResources": "resources",
    "Place": "resources",
    "Resources": "resources",
    "ServiceError": "wire",
    "World": "world",
    "error_answer": "wire",
    "json_answer": "wire",
    "serve_forever": "server",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
