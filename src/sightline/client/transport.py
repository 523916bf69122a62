"""One HTTP exchange with the service: address, key, time-outs, retries, and errors as sentences."""

import ipaddress
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from sightline.client.errors import ServiceError, not_a_service, refused, unreachable
from sightline.client.retry import TRANSIENT, Patience
from sightline.client.wire import API_PREFIX
from sightline.errors import SightlineError

T = TypeVar("T")


def checked_url(url: str) -> str:
    """``url`` without a trailing slash or API prefix.

    Raises:
        SightlineError: it is not an absolute http(s) URL.
    """
    text = url.strip().rstrip("/").removesuffix(API_PREFIX).rstrip("/")
    try:
        parsed = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise SightlineError(
            f"'{url}' is not a URL ({error}); write it like http://127.0.0.1:8000."
        ) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SightlineError(f"'{url}' is not a URL; write it like http://127.0.0.1:8000, scheme included.")
    return text


def checked_key(api_key: str, origin: str) -> str:
    """``api_key`` without surrounding white space.

    Raises:
        SightlineError: it is empty or holds characters that no key has (a pasted line break, a quote).
    """
    key = api_key.strip()
    if not key:
        raise SightlineError(f"{origin} is empty; copy the whole key.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SightlineError(f"{origin} holds a character that no key has; copy it again.")
    return key


class Transport:
    """Speaks HTTP to one service as one user. Safe to use from several threads.

    ``timeout`` is in seconds, for connecting and for each wait for bytes, not for a whole transfer.
    ``patience_s``: for how long an idempotent request is tried again while the service cannot be
    reached or says "not now".
    """

    def __init__(self, url: str, api_key: str, *, timeout: float, patience_s: float, key_origin: str) -> None:
        self.url = checked_url(url)
        self.key_origin = key_origin
        self.patience_s = patience_s
        secure = self.url.startswith("https")
        self.http = httpx.Client(
            base_url=self.url + API_PREFIX,
            headers={"Authorization": f"ApiKey {checked_key(api_key, key_origin)}"},
            timeout=timeout,
            # Loading the system's certificates takes 70 ms, which plain http has no use for; an empty
            # context trusts nobody, so it cannot weaken anything either.
            verify=True if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            trust_env=not _is_loopback(self.url),  # a proxy cannot reach this machine's own services
        )

    def close(self) -> None:
        """Close all connections."""
        self.http.close()

    def timeout(self, *, longer_by: float = 0.0, read: float | None = None) -> httpx.Timeout:
        """The client's time-outs with a longer (or another) wait for the answer's bytes, in seconds."""
        usual = self.http.timeout
        wait = read if read is not None else (usual.read or 0.0) + longer_by
        return httpx.Timeout(connect=usual.connect, write=usual.write, pool=usual.pool, read=wait)

    def request(
        self,
        method: str,
        path: str,
        *,
        retry: bool | None = None,
        body: Path | bytes | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        """Send a request and return its successful answer, body read.

        ``retry``: whether sending it twice is harmless; by default what HTTP says of the method.
        ``body``: bytes, or a file, to send as they are. ``arguments`` are those of `httpx.Client.request`.

        Raises:
            ServiceError: the service could not be reached, or answered with an error.
        """
        idempotent = method in ("GET", "PUT", "DELETE") if retry is None else retry
        patience = Patience(self.patience_s if idempotent else 0)
        while True:
            try:
                with self.exchange(), _opened(body) as content:
                    response = self.http.request(method, path, content=content, **arguments)
                    self.raise_for_status(response)
                    return response
            except TRANSIENT as error:
                patience.pause_or_raise(error)

    def get(self, path: str, kind: type[T], **params: Any) -> T:
        """GET ``path`` and parse the answer as ``kind``; parameters that are None are left out."""
        return self.parsed(kind, self.request("GET", path, params=without_none(params)))

    def send(
        self, method: str, path: str, kind: type[T], *, retry: bool | None = None, **arguments: Any
    ) -> T:
        """Send a request and parse the answer as ``kind``."""
        return self.parsed(kind, self.request(method, path, retry=retry, **arguments))

    def parsed(self, kind: type[T], response: httpx.Response) -> T:
        """The body of ``response`` as a ``kind``."""
        try:
            return TypeAdapter(kind).validate_json(response.content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            what = f"{response.request.url.path}: {where + ': ' if where else ''}{first['msg']}"
            raise not_a_service(self.url, what) from error

    def raise_for_status(self, response: httpx.Response) -> None:
        """Raise the error that an unsuccessful answer stands for; its body is read if it was not."""
        if not response.is_success:
            response.read()
            raise refused(response, self.url, self.key_origin)

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Turn httpx's errors inside the block into `ServiceError`."""
        try:
            yield
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from error
        except httpx.HTTPError as error:
            raise ServiceError(f"{self.url}: {error}") from error


@contextmanager
def _opened(body: Path | bytes | None) -> Iterator[BinaryIO | bytes | None]:
    if isinstance(body, Path):
        with body.open("rb") as content:
            yield content
    else:
        yield body


def without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` without those that are None, as query parameters want them."""
    return {name: value for name, value in values.items() if value is not None}


def _is_loopback(url: str) -> bool:
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
