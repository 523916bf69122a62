import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import cast

import pytest

from sightline.client import ServiceClient, ServiceError
from sightline.client.wire import Heartbeat, Lease
from sightline.service.agent.lease_keeper import LeaseKeeper, grace_s


def lease(lease_s: float = 1.5, heartbeat_s: float = 0.1) -> Lease:
    return Lease.model_construct(
        token="t", lease_s=lease_s, heartbeat_s=heartbeat_s, experiment_id="e", attempt=1
    )


class Answers:
    """Stands where the client does: gives what it was told to, in turn, the last one for ever."""

    def __init__(self, *answers: Heartbeat | ServiceError) -> None:
        self.answers = list(answers)

    def heartbeat(self, _: Lease) -> Heartbeat:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, ServiceError):
            raise answer
        return answer


def beat(cancel: bool = False) -> Heartbeat:
    return Heartbeat(cancel=cancel, expires_at=datetime.now(UTC))


def keep(client: object, stop: threading.Event, terms: Lease) -> LeaseKeeper:
    return LeaseKeeper(cast(ServiceClient, client), terms, stop)


@pytest.fixture
def hanging_service() -> Iterator[ServiceClient]:
    """A service that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        client = ServiceClient(f"http://127.0.0.1:{listener.getsockname()[1]}", "key")
        yield client
        client.close()


def test_a_service_that_hangs_loses_the_lease_before_it_runs_out(hanging_service: ServiceClient) -> None:
    stop = threading.Event()
    started = time.monotonic()
    with keep(hanging_service, stop, lease()) as keeper:
        assert stop.wait(5)
        lost_after = time.monotonic() - started
        assert keeper.lost
    assert lost_after + grace_s(lease()) < 1.5


def test_a_service_that_answers_keeps_it() -> None:
    stop = threading.Event()
    with keep(Answers(beat()), stop, lease(lease_s=0.6)) as keeper:
        assert not stop.wait(1.5)
        assert not keeper.lost


def test_a_short_silence_does_no_harm() -> None:
    stop = threading.Event()
    down = ServiceError("down", status=None)
    with keep(Answers(beat(), down, down, down, beat()), stop, lease()) as keeper:
        assert not stop.wait(2)
        assert not keeper.lost


def test_a_lease_that_the_service_gave_away_is_lost_at_once() -> None:
    stop = threading.Event()
    with keep(Answers(ServiceError("not yours", status=409)), stop, lease(lease_s=60)) as keeper:
        assert stop.wait(2)
        assert keeper.lost


def test_a_cancelled_job_stops_with_its_lease_kept() -> None:
    stop = threading.Event()
    with keep(Answers(beat(cancel=True)), stop, lease()) as keeper:
        assert stop.wait(2)
        assert keeper.cancelled
        assert not keeper.lost
