import json
import threading
import time
from collections.abc import Callable

import pytest

from sightline.client import ServiceClient, ServiceError
from sightline.client.errors import ServiceUnreachableError
from sightline.client.wire import StoredLogLine, StoredMetricPoint
from tests.client.flaky_server import FlakyServer, Handler, running

STREAM = "/experiments/e1/stream"


def line(number: int) -> str:
    data = {
        "id": number,
        "attempt": 1,
        "seq": number,
        "at": "2026-01-01T00:00:00Z",
        "stream": "stdout",
        "text": f"line {number}",
    }
    return f"id: l{number}\nevent: log\ndata: {json.dumps(data)}\n\n"


END = "event: end\ndata: {}\n\n"


def streaming(text_after: Callable[[str | None], str]) -> Callable[[Handler], None]:
    """Answers with what ``text_after`` gives for the Last-Event-ID, then closes the connection."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(text_after(handler.exchange.headers.get("Last-Event-ID")).encode())
        handler.break_off()

    return answer


def texts(client: ServiceClient) -> list[str]:
    return [event.data.text for event in client.stream("e1") if isinstance(event.data, StoredLogLine)]


def test_until_the_end(flaky: FlakyServer, client: ServiceClient) -> None:
    point = {
        "id": 1,
        "attempt": 1,
        "seq": 0,
        "at": "2026-01-01T00:00:00Z",
        "name": "loss",
        "kind": "scalar",
        "value": None,
        "step": 3,
    }
    metric = f"id: m1\nevent: metric\ndata: {json.dumps(point)}\n\n"
    unknown = "event: weather\ndata: {}\n\n"
    flaky.routes[STREAM] = streaming(lambda _: ": hello\n\n" + line(1) + metric + unknown + END + line(2))
    events = list(client.stream("e1"))
    assert [event.id for event in events] == ["l1", "m1"]
    assert isinstance(events[1].data, StoredMetricPoint)
    assert events[1].data.value is None


def test_a_broken_stream_goes_on_after_the_last_event(flaky: FlakyServer, client: ServiceClient) -> None:
    def text_after(last: str | None) -> str:
        if last is None:
            return line(1) + line(2)
        if last == "l2":
            return line(3) + line(4).rstrip()  # torn in the middle of an event
        return line(4) + END

    flaky.routes[STREAM] = streaming(text_after)
    assert texts(client) == ["line 1", "line 2", "line 3", "line 4"]
    assert [e.headers.get("Last-Event-ID") for e in flaky.seen] == [None, "l2", "l3"]


def test_a_restart_of_the_service_is_waited_for() -> None:
    flaky = FlakyServer({STREAM: streaming(lambda last: line(2) + END if last else line(1))})
    with running(flaky):
        port = int(flaky.url.rsplit(":", 1)[1])
        client = ServiceClient(flaky.url, "key", patience_s=0)
        events = client.stream("e1")
        assert next(events).id == "l1"
    over = threading.Event()

    def restart() -> None:
        time.sleep(0.7)
        with running(flaky, port):
            over.wait(10)

    thread = threading.Thread(target=restart)
    thread.start()
    assert next(events).id == "l2"
    assert list(events) == []
    over.set()
    client.close()
    thread.join()


def test_patience_ends() -> None:
    flaky = FlakyServer({STREAM: streaming(lambda _: line(1))})
    with running(flaky):
        client = ServiceClient(flaky.url, "key")
        events = client.stream("e1", patience_s=0.5)
        next(events)
    with client, pytest.raises(ServiceUnreachableError, match="is the service up"):
        next(events)


def test_going_on_where_an_earlier_stream_was(flaky: FlakyServer, client: ServiceClient) -> None:
    flaky.routes[STREAM] = streaming(lambda last: f"id: x\nevent: end\ndata: {last}\n\n")
    assert list(client.stream("e1", after="l7")) == []
    assert flaky.seen[0].headers["Last-Event-ID"] == "l7"


def test_an_unknown_experiment(flaky: FlakyServer, client: ServiceClient) -> None:
    flaky.routes[STREAM] = lambda handler: handler.answer_json(404, {"detail": "There is no experiment e1."})
    with pytest.raises(ServiceError, match="There is no experiment e1"):
        list(client.stream("e1"))


@pytest.mark.parametrize("data", ["no json", "{}"])
def test_something_else_behind_the_address(flaky: FlakyServer, client: ServiceClient, data: str) -> None:
    flaky.routes[STREAM] = streaming(lambda _: f"id: 1\nevent: log\ndata: {data}\n\n")
    with pytest.raises(ServiceError, match="does not answer like a Sightline service"):
        list(client.stream("e1"))
    flaky.routes[STREAM] = lambda handler: handler.answer_json(200, {})
    with pytest.raises(ServiceError, match="does not answer like a Sightline service"):
        list(client.stream("e1"))
