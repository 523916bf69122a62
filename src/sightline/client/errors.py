"""What goes wrong between a client and the service, each as one sentence."""

from http import HTTPStatus
from typing import Any

import httpx

from sightline.errors import SightlineError

#: Statuses that say "not now": the same request may well succeed a moment later.
NOT_NOW = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


class ServiceError(SightlineError):
    """The service refused, failed, or could not be reached.

    ``status`` is the HTTP status of its answer, None where there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ServiceUnreachableError(ServiceError):
    """No answer, or only answers such as 503 that say "not now", for as long as the client was patient."""


def unreachable(url: str, error: Exception) -> ServiceUnreachableError:
    """The sentence for a service that does not answer."""
    if isinstance(error, httpx.TimeoutException):
        return ServiceUnreachableError(
            f"{url} does not answer in time ({_kind(error)}): the service is overloaded or the network is "
            f"slow; try again."
        )
    return ServiceUnreachableError(
        f"cannot reach {url} ({_kind(error)}): is the service up? Start one with `sightline up`, or correct "
        f"the URL with `sightline configure` or SIGHTLINE_URL."
    )


def refused(response: httpx.Response, url: str, key_origin: str) -> ServiceError:
    """The error that an answer with an error status stands for; the answer's body must have been read."""
    status = response.status_code
    detail = _detail(response)
    if status == HTTPStatus.UNAUTHORIZED:
        return ServiceError(
            f"{url} does not accept {key_origin}; run `sightline configure` with a valid "
            f"key, or set SIGHTLINE_API_KEY.",
            status,
        )
    kind = ServiceUnreachableError if status in NOT_NOW else ServiceError
    if detail:
        return kind(detail, status)
    phrase = f"{status} {response.reason_phrase}".strip()
    request = f"{response.request.method} {response.request.url.path}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return kind(f"{url} failed with {phrase} on {request}; the service's log says why.", status)
    return ServiceError(
        f"{url} answered {phrase} to {request}: is this the address of a Sightline service of this version?",
        status,
    )


def not_a_service(url: str, what: str) -> ServiceError:
    """The sentence for an answer that cannot be understood."""
    return ServiceError(
        f"{url} does not answer like a Sightline service ({what}); check the URL, and that client and "
        f"service have the same version."
    )


def _detail(response: httpx.Response) -> str:
    """The service's own sentence, or FastAPI's list of what is wrong with a request; "" where neither."""
    try:
        body: Any = response.json()
    except ValueError:
        return ""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, str):
        # A bare "Not Found" is the framework's, for a path that does not exist: it says nothing.
        return "" if detail == response.reason_phrase else detail
    if isinstance(detail, list):
        return "; ".join(
            f"{'.'.join(str(part) for part in item.get('loc', ())[1:])}: {item.get('msg', 'is not valid')}"
            for item in detail
            if isinstance(item, dict)
        )
    return ""


def _kind(error: Exception) -> str:
    text = str(error).strip()
    return text or type(error).__name__
