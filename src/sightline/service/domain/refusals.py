"""Why the service says no. Each refusal is one sentence; the API maps its class to a status."""

from sightline.errors import SightlineError


class RefusedError(SightlineError):
    """What was asked for is well formed but cannot be done as it stands (422)."""


class NotFoundError(RefusedError):
    """There is no such thing, or none that this user may know of: the sentence is the same (404)."""


class NotAllowedError(RefusedError):
    """The user may see the thing but not do this with it (403)."""


class ConflictError(RefusedError):
    """Something else is in the way; often true only for a while (409)."""


class TooLargeError(RefusedError):
    """More bytes, lines or files than a limit allows (413)."""
