"""No call makes the service hold more than a set number of bytes of its body."""

import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.client.wire import API_PREFIX
from sightline.files import readable_size
from sightline.service.api.errors import refuse
from sightline.service.settings import Settings

_FORM_OVERHEAD = 1 << 20
_STREAMED = re.compile(
    rf"PATCH {API_PREFIX}/datasets/[^/]+/uploads/[^/]+|PUT {API_PREFIX}/agent/jobs/[^/]+/artifacts/.+"
)


class BodyLimit:
    """ASGI middleware. Calls that stream their body to disk limit it themselves."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 as soon as a body is known to be too large."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limit(scope)
        if limit is None:
            await self._app(scope, receive, send)
            return
        sentence = f"The call's body is larger than the {readable_size(limit)} allowed."
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            await refuse(413, sentence, scope, receive, send)
            return
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > limit:
                raise HTTPException(413, sentence)
            return message

        await self._app(scope, counted, send)

    def _limit(self, scope: Scope) -> int | None:
        if _STREAMED.fullmatch(f"{scope['method']} {scope['path']}"):
            return None
        if scope["path"] == f"{API_PREFIX}/trainers":
            return self._settings.max_trainer_bytes + _FORM_OVERHEAD
        return self._settings.max_request_bytes
