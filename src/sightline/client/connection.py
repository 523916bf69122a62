"""From a profile to a client."""

from sightline.client.profiles import Profile, active_profile
from sightline.client.service_client import ServiceClient


def connect(profile: Profile | None = None, *, timeout: float = 30.0) -> ServiceClient:
    """A client for ``profile``, by default the active one (see `sightline.client.profiles`).

    Raises:
        SightlineError: nothing is configured; the sentence says how to.
    """
    chosen = profile or active_profile()
    return ServiceClient(chosen.url, chosen.api_key, timeout, key_origin=chosen.origin)
