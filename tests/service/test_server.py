import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sightline.client.wire import API_PREFIX
from sightline.errors import SightlineError
from sightline.service.server import serve
from sightline.service.settings import Settings
from tests.service.api.test_stream import wait_for
from tests.service.conftest import service_command
from tests.service.world import Job, World


def refuse_ready(url: str) -> None:
    raise AssertionError(f"{url} must not be ready")


def test_a_port_that_is_taken_is_named(prepared: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SightlineError, match=f"Cannot listen at 127.0.0.1:{port} .*in use.*another port"):
            serve(Settings(folder=prepared), "127.0.0.1", port, refuse_ready)


@pytest.mark.parametrize(("host", "port"), [("no.such.host.invalid", 0), ("127.0.0.1", 70_000)])
def test_an_address_that_is_none_is_named(prepared: Path, host: str, port: int) -> None:
    with pytest.raises(SightlineError, match=f"Cannot listen at {host}:{port}"):
        serve(Settings(folder=prepared), host, port, refuse_ready)


def test_a_folder_has_one_service(service: World) -> None:
    with pytest.raises(SightlineError, match="another service is running on this folder"):
        serve(Settings(folder=service.folder), "127.0.0.1", 0, refuse_ready)


def test_a_waiting_agent_gets_a_job_at_once(make_service: Callable[..., World]) -> None:
    service = make_service(poll_s=60)  # so that it cannot be found by polling
    service.publish()
    service.trainer(service.developer)
    times: list[float] = []

    def wait_for_a_job() -> None:
        request = {"agent": "a", "sandboxes": ["namespace"], "wait_s": 30}
        assert service.agent.post("/agent/leases", request).status_code == 200
        times.append(time.monotonic())

    waiting = threading.Thread(target=wait_for_a_job)
    waiting.start()
    time.sleep(0.2)
    submitted = time.monotonic()
    service.submit(service.developer)
    waiting.join(10)
    assert times[0] - submitted < 10


def test_waiting_for_a_job_ends_in_time(service: World) -> None:
    started = time.monotonic()
    request = {"agent": "a", "sandboxes": ["namespace"], "wait_s": 0.2}
    assert service.agent.post("/agent/leases", request).status_code == 204
    assert 0.2 <= time.monotonic() - started < 10


def test_an_agent_that_hung_up_is_given_nothing(make_service: Callable[..., World]) -> None:
    service = make_service(poll_s=0.05)
    service.publish()
    service.trainer(service.developer)
    request = {"agent": "gone", "sandboxes": ["namespace"], "wait_s": 30}
    with pytest.raises(httpx.ReadTimeout):
        service.agent.post("/agent/leases", request, timeout=0.2)
    time.sleep(0.3)
    made = service.submit(service.developer)
    time.sleep(0.2)
    assert service.developer.ok("GET", f"/experiments/{made['id']}")["state"] == "queued"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_soon_though_others_wait(real_process: "RealService", number: signal.Signals) -> None:
    world = real_process.world
    job = world.taken()
    broken: list[str] = []

    def stream() -> None:
        headers = {"Authorization": f"ApiKey {world.developer.key}"}
        with httpx.stream(
            "GET", f"{real_process.url}{API_PREFIX}/experiments/{job.id}/stream", headers=headers
        ) as answer:
            broken.append("open")
            broken.extend(line for line in answer.iter_lines() if line == "event: end")

    def lease() -> None:
        request = {"agent": "a", "sandboxes": ["namespace"], "wait_s": 60}
        headers = {"Authorization": f"ApiKey {world.agent.key}"}
        url = f"{real_process.url}{API_PREFIX}/agent/leases"
        broken.append(str(httpx.post(url, json=request, headers=headers, timeout=70).status_code))

    threads = [threading.Thread(target=stream), threading.Thread(target=lease)]
    for thread in threads:
        thread.start()
    wait_for(lambda: broken)
    time.sleep(0.2)
    started = time.monotonic()
    real_process.process.send_signal(number)
    assert real_process.process.wait(10) == 0
    assert time.monotonic() - started < 6
    for thread in threads:
        thread.join(10)
    assert sorted(broken) == ["204", "open"]  # no event says that the experiment ended, as it did not


def test_kill_9_loses_no_acknowledged_line_and_the_job_goes_on(real_process: "RealService") -> None:
    world = real_process.world
    job = world.taken()
    job.report("running")
    lines, points = Sender(job, "logs"), Sender(job, "metrics")
    threads = [threading.Thread(target=sender.send_until_broken) for sender in (lines, points)]
    for thread in threads:
        thread.start()
    wait_for(lambda: lines.acknowledged > 50 and points.acknowledged > 50)
    real_process.process.kill()
    for thread in threads:
        thread.join(10)
    real_process.restart()
    path = f"/experiments/{job.id}"
    for what, sender in (("logs", lines), ("metrics", points)):
        stored = world.developer.ok("GET", f"{path}/{what}?limit=10000")["data"]
        numbers = [row["seq"] for row in stored]
        assert numbers == list(range(len(numbers))), "a line is missing or there twice"
        assert len(numbers) > sender.acknowledged
    # The agent sends again what was not acknowledged, and the job goes on under the same lease.
    assert job.call("POST", "heartbeat").is_success
    assert lines.send().json()["seq"] == lines.sent - 1
    job.report("collecting", "succeeded")
    assert world.developer.ok("GET", path)["state"] == "succeeded"


class Sender:
    """Sends numbered lines or points in batches, each until it is acknowledged."""

    def __init__(self, job: Job, what: str) -> None:
        self.job = job
        self.what = what
        self.acknowledged = -1
        self.sent = 0

    def send(self) -> httpx.Response:
        first = self.acknowledged + 1
        self.sent = first + 7
        count = self.sent - first
        if self.what == "logs":
            answer = self.job.logs(*("x" * 100 for _ in range(count)), start=first)
        else:
            answer = self.job.metrics(*([1.0] * count), start=first)
        self.acknowledged = answer.json()["seq"]
        return answer

    def send_until_broken(self) -> None:
        try:
            while True:
                self.send()
        except httpx.TransportError:
            pass


class RealService:
    """A service in a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = ""
        self.start(0)
        self.world = World(settings.folder, self.send)

    def start(self, port: int) -> None:
        command = service_command(self.settings, port)
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), "the service did not start"

    def restart(self) -> None:
        assert self.process.wait(10) == -signal.SIGKILL
        if self.process.stdout:
            self.process.stdout.close()
        self.start(int(self.url.rsplit(":", 1)[1]))

    def send(self, method: str, path: str, **arguments: object) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=20, **arguments)  # type: ignore[arg-type]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        if self.process.stdout:
            self.process.stdout.close()


@pytest.fixture
def real_process(make_world: Callable[..., World]) -> Iterator[RealService]:
    folder = make_world().folder
    running = RealService(Settings(folder=folder))
    yield running
    running.close()


def test_the_url_is_the_real_one(service: World) -> None:
    client: httpx.Client = service.send.__self__
    assert client.base_url.port != 0
    assert json.loads(service.nobody.get("/health").text)["status"] == "ok"


def test_a_refusal_is_read_though_the_body_was_not(service: World) -> None:
    """A client that is still sending must see the sentence, not a broken pipe."""
    megabytes = b"x" * (20 << 20)
    headers = {"Authorization": "ApiKey wrong"}
    for path in ("/trainers", "/datasets/none/uploads/none"):
        answer = service.nobody(
            "PATCH" if "uploads" in path else "POST", path, content=megabytes, headers=headers
        )
        assert answer.status_code == 401
    missing = service.owner(
        "PATCH", "/datasets/none/uploads/none", content=megabytes, headers={"Upload-Offset": "0"}
    )
    assert "Dataset 'none' is unknown" in missing.json()["detail"]
