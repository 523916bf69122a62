"""The live stream of an experiment: log lines, metrics and states as they happen."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
from httpx_sse import ServerSentEvent, connect_sse
from pydantic import ValidationError

from sightline.client.errors import not_a_service, unreachable
from sightline.client.retry import TRANSIENT, Patience
from sightline.client.transport import Transport
from sightline.client.wire import ExperimentOut, StoredLogLine, StoredMetricPoint

PATIENCE_S = 60.0
#: A stream that is silent for so long is taken for dead and asked for again from where it was.
_SILENCE_S = 60.0

_KINDS = {"log": StoredLogLine, "metric": StoredMetricPoint, "state": ExperimentOut}


@dataclass(frozen=True)
class StreamEvent:
    """Something that happened to an experiment. ``id`` is where a later stream can go on after it."""

    id: str
    data: StoredLogLine | StoredMetricPoint | ExperimentOut


def stream_events(
    transport: Transport, path: str, *, after: str | None = None, patience_s: float = PATIENCE_S
) -> Iterator[StreamEvent]:
    """All events of the experiment from its beginning (or after the event id ``after``) to its end.

    A connection that breaks, and a service that restarts, are waited for: the stream goes on after the
    last event that arrived, so that none is missed and none comes twice.

    Raises:
        ServiceError: as the service says, or it could not be reached for ``patience_s`` seconds.
    """
    last_id = after
    patience = Patience(transport.patience_s, patience_s)
    while True:
        headers = {"Last-Event-ID": last_id} if last_id else {}
        timeout = transport.timeout(read=_SILENCE_S)
        try:
            with (
                transport.exchange(),
                connect_sse(transport.http, "GET", path, headers=headers, timeout=timeout) as source,
            ):
                transport.raise_for_status(source.response)
                if "text/event-stream" not in source.response.headers.get("Content-Type", ""):
                    raise not_a_service(transport.url, f"{path}: no stream of events")
                patience.moved()
                for event in source.iter_sse():
                    patience.moved()
                    if event.event == "end":
                        return
                    last_id = event.id or last_id
                    if event.event in _KINDS:
                        yield _parsed(transport, path, event)
                raise unreachable(transport.url, httpx.RemoteProtocolError("the stream broke off"))
        except TRANSIENT as error:
            patience.pause_or_raise(error)


def _parsed(transport: Transport, path: str, event: ServerSentEvent) -> StreamEvent:
    try:
        return StreamEvent(event.id, _KINDS[event.event].model_validate_json(event.data))
    except ValidationError as error:
        raise not_a_service(transport.url, f"{path}: a {event.event} event that is none") from error
