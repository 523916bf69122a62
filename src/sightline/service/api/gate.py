"""The door: who calls is settled before any route, and before a byte of the body is read.

Everything below ``/api`` is closed unless it is named here, so that a new route cannot be left open.
"""

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.client.wire import API_PREFIX
from sightline.service.api.errors import refuse
from sightline.service.core import Core
from sightline.service.domain.permissions import Actor, may_call
from sightline.service.store import users

_OPEN = {f"{API_PREFIX}/health"}
_FOR_EVERY_ROLE = {f"{API_PREFIX}/me"}
_AGENT_ROUTES = f"{API_PREFIX}/agent/"

_NO_KEY = "The call has no API key; send the header 'Authorization: ApiKey <key>'."
_BAD_KEY = "The API key is not valid (any more); configure another, or ask an admin for one."
_AGENTS_ONLY = "Only agents may make this call."
_NO_AGENTS = "An agent's key is for running jobs only; make this call with the key of a person."


class Gate:
    """ASGI middleware that authenticates, and keeps agents and people to their own routes."""

    def __init__(self, app: ASGIApp, core: Core) -> None:
        self._app = app
        self._core = core

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403, or pass the call on with its ``actor``."""
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/api/") or path in _OPEN:
            await self._app(scope, receive, send)
            return
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "apikey" or not key.strip():
            await refuse(401, _NO_KEY, scope, receive, send)
            return
        actor = await run_in_threadpool(self._authenticate, key.strip())
        if actor is None:
            await refuse(401, _BAD_KEY, scope, receive, send)
            return
        is_agent_route = path.startswith(_AGENT_ROUTES)
        if path not in _FOR_EVERY_ROLE and not may_call(actor, is_agent_route):
            await refuse(403, _AGENTS_ONLY if is_agent_route else _NO_AGENTS, scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, send)

    def _authenticate(self, key: str) -> Actor | None:
        with self._core.database.read() as session:
            return users.authenticate(session, key)
