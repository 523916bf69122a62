"""The typed HTTP client of the service, and the profiles that say where it is and as whom to speak.

Loads lazily: ``import sightline.client`` costs nothing, the first use of a name imports its module.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.client.connection import connect
    from sightline.client.errors import ServiceError
    from sightline.client.profiles import Profile
    from sightline.client.service_client import ServiceClient

_HOME = {
    "Profile": "sightline.client.profiles",
    "ServiceClient": "sightline.client.service_client",
    "ServiceError": "sightline.client.errors",
    "connect": "sightline.client.connection",
}

__all__ = ["Profile", "ServiceClient", "ServiceError", "connect"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sightline.client' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
