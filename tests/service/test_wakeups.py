import asyncio
import threading
import time

from sightline.service.wakeups import Wakeups


def test_a_waiting_call_is_woken_from_another_thread() -> None:
    async def scenario() -> float:
        wakeups = Wakeups()
        wakeups.bind()
        started = time.monotonic()
        with wakeups.subscribe("topic") as subscription:
            subscription.clear()
            threading.Timer(0.02, wakeups.notify, ["topic"]).start()
            await subscription.wait(10)
        return time.monotonic() - started

    assert asyncio.run(scenario()) < 5


def test_what_comes_between_looking_and_waiting_is_not_missed() -> None:
    async def scenario() -> None:
        wakeups = Wakeups()
        wakeups.bind()
        with wakeups.subscribe("topic") as subscription:
            subscription.clear()
            wakeups.notify("topic")
            await asyncio.wait_for(subscription.wait(10), 5)

    asyncio.run(scenario())


def test_other_topics_and_time_outs() -> None:
    async def scenario() -> float:
        wakeups = Wakeups()
        wakeups.bind()
        started = time.monotonic()
        with wakeups.subscribe("topic") as subscription:
            wakeups.notify("other")
            await subscription.wait(0.05)
        return time.monotonic() - started

    assert asyncio.run(scenario()) >= 0.05


def test_closing_ends_all_waiting_now_and_later() -> None:
    async def scenario() -> None:
        wakeups = Wakeups()
        wakeups.bind()
        with wakeups.subscribe("topic") as subscription:
            threading.Timer(0.02, wakeups.close).start()
            await asyncio.wait_for(subscription.wait(60), 5)
            assert subscription.closing
            await asyncio.wait_for(subscription.wait(60), 5)

    asyncio.run(scenario())


def test_nobody_has_to_listen() -> None:
    Wakeups().notify("topic")
    Wakeups().close()
