import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from sightline.client import ServiceError
from sightline.service.agent.outbox import Outbox


def size(_: int) -> int:
    return 1


def unreachable() -> ServiceError:
    return ServiceError("cannot reach the service", status=None)


@given(st.lists(st.integers(), max_size=3000))
def test_messages_arrive_once_and_in_order(messages: list[int]) -> None:
    received: list[int] = []
    outbox: Outbox[int] = Outbox(received.extend, size)
    for message in messages:
        outbox.put(message)
    assert outbox.close(5)
    assert received == messages


def test_a_batch_that_was_not_acknowledged_is_sent_again() -> None:
    received: list[int] = []
    failures = iter([unreachable(), unreachable()])

    def send(batch: list[int]) -> None:
        for failure in failures:
            raise failure
        received.extend(batch)

    outbox: Outbox[int] = Outbox(send, size)
    for number in range(5):
        outbox.put(number)
    assert outbox.close(10)
    assert received == list(range(5))


def test_a_single_message_does_not_wait_for_others() -> None:
    arrived = threading.Event()
    outbox: Outbox[int] = Outbox(lambda _: arrived.set(), size)
    outbox.put(1)
    assert arrived.wait(2)
    assert outbox.close(2)


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    def send(_: list[int]) -> None:
        raise unreachable()

    outbox: Outbox[int] = Outbox(send, lambda _: 800, capacity=10_000)
    for number in range(15):
        outbox.put(number)
    assert outbox.dropped == 5
    assert not outbox.close(0.1)
    outbox.abandon()


def test_a_refusal_ends_the_delivery_and_is_kept() -> None:
    def send(_: list[int]) -> None:
        raise ServiceError("too many lines", status=413)

    outbox: Outbox[int] = Outbox(send, size)
    outbox.put(1)
    assert not outbox.close(2)
    assert str(outbox.refusal) == "too many lines"


def test_abandon_ends_the_thread_while_the_service_is_down() -> None:
    before = threading.active_count()

    def send(_: list[int]) -> None:
        raise unreachable()

    outbox: Outbox[int] = Outbox(send, size)
    outbox.put(1)
    outbox.abandon()
    deadline = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_batches_stay_below_what_the_service_takes() -> None:
    batches: list[list[str]] = []
    started = threading.Event()

    def send(batch: list[str]) -> None:
        started.wait()
        batches.append(batch)

    outbox: Outbox[str] = Outbox(send, len)
    lines = ["x" * 16_000] * 300 + ["y" * 3_000_000]
    for line in lines:
        outbox.put(line)
    started.set()
    assert outbox.close(10)
    assert [line for batch in batches for line in batch] == lines
    assert max(sum(map(len, batch)) for batch in batches if len(batch) > 1) <= 1 << 20
