import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from sightline.client.wire import API_PREFIX
from tests.service.world import Caller, Job, World


def events(who: Caller, experiment: str, last_id: str | None = None) -> list[ServerSentEvent]:
    """All events of an experiment that has ended."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    answer = who.get(f"/experiments/{experiment}/stream", headers=headers)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    return list(parsed(answer.text))


def parsed(text: str) -> Iterator[ServerSentEvent]:
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            yield ServerSentEvent(event=fields["event"], data=fields["data"], id=fields.get("id", ""))


def live(
    service: World, who: Caller, experiment: str, last_id: str | None = None
) -> Iterator[ServerSentEvent]:
    client: httpx.Client = service.send.__self__
    headers = {"Authorization": f"ApiKey {who.key}"}
    if last_id:
        headers["Last-Event-ID"] = last_id
    path = f"{API_PREFIX}/experiments/{experiment}/stream"
    with connect_sse(client, "GET", path, headers=headers) as source:
        yield from source.iter_sse()


def finished(world: World) -> Job:
    job = world.taken()
    job.report("running")
    job.logs("a", "b")
    job.metrics(1.0)
    job.report("collecting", "succeeded")
    return job


def test_an_ended_experiment_is_replayed_from_its_beginning(world: World) -> None:
    job = finished(world)
    seen = events(world.developer, job.id)
    assert [event.event for event in seen] == ["log", "log", "metric", "state", "end"]
    lines = world.developer.ok("GET", f"/experiments/{job.id}/logs")["data"]
    assert [json.loads(event.data) for event in seen[:2]] == lines
    assert json.loads(seen[3].data) == world.developer.ok("GET", f"/experiments/{job.id}")


def test_it_goes_on_after_any_event_without_loss_or_repetition(world: World) -> None:
    job = finished(world)
    every = [(event.event, event.data) for event in events(world.developer, job.id)]
    for number, event in enumerate(events(world.developer, job.id)[:-1]):
        rest = events(world.developer, job.id, last_id=event.id)
        assert [(event.event, event.data) for event in rest] == every[number + 1 :]


def test_many_lines_come_in_order(world: World) -> None:
    job = world.taken()
    for start in range(0, 2500, 500):
        job.logs(*(str(start + index) for index in range(500)), start=start)
    job.report("failed")
    texts = [
        json.loads(event.data)["text"] for event in events(world.developer, job.id) if event.event == "log"
    ]
    assert texts == [str(number) for number in range(2500)]


def test_a_line_is_one_line_whatever_is_in_it(service: World) -> None:
    job = service.taken()
    texts = [*"\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "a\r\nb", "data: x", ": y", "", "\U0001f600"]
    job.logs(*texts)
    job.finish()
    lines = [event for event in live(service, service.developer, job.id) if event.event == "log"]
    assert [json.loads(line.data)["text"] for line in lines] == texts


def test_an_id_that_is_none_is_refused(world: World) -> None:
    job = finished(world)
    answer = world.developer.get(f"/experiments/{job.id}/stream", headers={"Last-Event-ID": "seven"})
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "Header 'Last-Event-ID': 'seven' is not the id of an event of this stream.",
    )


def test_what_happens_arrives_at_once(make_service: Callable[..., World]) -> None:
    service = make_service(poll_s=60)  # so that nothing arrives by polling
    job = service.taken()
    arrived: list[tuple[str, Any, float]] = []

    def read() -> None:
        for event in live(service, service.developer, job.id):
            data = json.loads(event.data)
            arrived.append((event.event, data, time.monotonic()))

    reader = threading.Thread(target=read)
    reader.start()
    wait_for(lambda: arrived)
    sent = time.monotonic()
    job.logs("hello")
    wait_for(lambda: len(arrived) == 2)
    assert arrived[1][1]["text"] == "hello"
    assert arrived[1][2] - sent < 10
    job.finish()
    reader.join(10)
    assert [kind for kind, _, _ in arrived][-2:] == ["state", "end"]
    assert arrived[-2][1]["state"] == "succeeded"


def test_comments_are_no_events(make_service: Callable[..., World]) -> None:
    service = make_service(keepalive_s=0.02, poll_s=0.02)
    job = service.taken()
    finishing = threading.Timer(0.3, job.finish)
    finishing.start()
    kinds = [event.event for event in live(service, service.developer, job.id)]
    finishing.join()
    assert set(kinds) == {"state", "end"}


def test_a_silent_stream_is_kept_alive(make_service: Callable[..., World]) -> None:
    service = make_service(keepalive_s=0.05, poll_s=0.05)
    job = service.taken()
    client: httpx.Client = service.send.__self__
    headers = {"Authorization": f"ApiKey {service.developer.key}"}
    with client.stream("GET", f"{API_PREFIX}/experiments/{job.id}/stream", headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith(":"):
                return
    raise AssertionError("no comment came")


def wait_for(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)
