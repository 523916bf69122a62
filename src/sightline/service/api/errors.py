"""Every error of the API is ``{"detail": <one sentence>}``, whoever raised it."""

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError, OperationalError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from sightline.errors import SightlineError
from sightline.service.api.validation import sentence
from sightline.service.domain.refusals import ConflictError, NotAllowedError, NotFoundError, TooLargeError

_STATUS: dict[type[SightlineError], int] = {
    NotFoundError: 404,
    NotAllowedError: 403,
    ConflictError: 409,
    TooLargeError: 413,
}
DRAINED = 64 << 20
"""How many bytes of a refused body are read and dropped before the connection is closed."""

_log = logging.getLogger(__name__)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as an answer."""
    if status == 401:
        headers = {**(headers or {}), "WWW-Authenticate": "ApiKey"}
    return JSONResponse({"detail": detail}, status, headers)


def status_of(error: SightlineError) -> int:
    """The HTTP status of a refusal; 422 for all that a user can mend in what they sent."""
    return _STATUS.get(type(error), 422)


async def refuse(status: int, detail: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with an error before the body was read.

    What is on its way is read and dropped, up to a limit: a connection that is closed on a client that
    still sends shows it "broken pipe" in place of the sentence.
    """
    left = DRAINED
    more = True
    while more and left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        more = message.get("more_body", False)
    await problem(status, detail)(scope, receive, send)


def install(app: FastAPI) -> None:
    """Handle all errors of an app."""
    app.add_exception_handler(SightlineError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DataError, _on_bad_data)
    app.add_exception_handler(UnicodeEncodeError, _on_half_character)
    app.add_exception_handler(OperationalError, _on_database)
    app.add_exception_handler(Exception, _on_defect)


def _on_refusal(_: Request, error: Any) -> JSONResponse:
    return problem(status_of(error), str(error))


def _on_half_character(_: Request, error: Any) -> JSONResponse:
    # JSON can say "\\ud800", half of a character, which no database and no file name takes.
    reason = f"The request holds text that is not whole characters ({error.reason})"
    return problem(422, f"{reason}; send it as UTF-8.")


def _on_invalid(request: Request, error: Any) -> JSONResponse:
    return problem(422, sentence(request, error))


def _on_http(request: Request, error: Any) -> JSONResponse:
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}; the calls are listed at /docs."
    elif error.status_code == 405:
        detail = f"{request.method} is not possible at {request.url.path}; the calls are listed at /docs."
    elif error.status_code == 400:
        detail = f"The body cannot be read ({detail}); its form is described at /docs."
    return problem(error.status_code, detail, error.headers)


def _on_bad_data(_: Request, error: Any) -> JSONResponse:
    return problem(422, f"A value of the call cannot be stored ({error.orig}).")


def _on_database(_: Request, error: Any) -> JSONResponse:
    _log.error("the database failed: %s", error)
    return problem(503, "The service cannot use its database at the moment; try again.")


def _on_defect(_: Request, __: Exception) -> JSONResponse:
    return problem(
        500, "The service failed at this call, which is a defect of it; its log has the traceback."
    )
