import threading
import time
from collections.abc import Iterator

import pytest

from sightline.deploy.raster.background import WriteBehind, read_ahead


def test_items_come_in_order_and_ahead_of_their_use() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    with read_ahead(items(), 3) as ready:
        assert next(ready) == 0
        deadline = time.monotonic() + 5
        while len(made) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert made == [0, 1, 2, 3, 4]  # one used, three waiting, one in the hand
        assert list(ready) == list(range(1, 10))


def test_an_error_of_reading_is_raised_where_items_are_used() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with read_ahead(items(), 2) as ready:
        assert next(ready) == 1
        with pytest.raises(OSError, match="gone"):
            next(ready)


def test_reading_is_given_up_with_the_block() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 0
        finally:
            closed.set()

    with read_ahead(items(), 2) as ready:
        next(ready)
    assert closed.is_set()


def test_everything_is_written_by_the_end() -> None:
    written: list[int] = []
    with WriteBehind(written.append, 2) as writing:
        for number in range(20):
            writing.put(number)
    assert written == list(range(20))


def test_an_error_of_writing_is_raised() -> None:
    def write(number: int) -> None:
        if number == 3:
            raise OSError("full")

    def write_up_to(last: int, first: int = 0) -> None:
        with WriteBehind(write, 1) as writing:
            for number in range(first, last):
                writing.put(number)

    with pytest.raises(OSError, match="full"):
        write_up_to(100)
    with pytest.raises(OSError, match="full"):
        write_up_to(4, first=3)  # at the end of the block


def test_what_waits_to_be_written_is_given_up_when_the_block_fails() -> None:
    written: list[int] = []
    go_on = threading.Event()

    def write(number: int) -> None:
        go_on.wait(5)
        written.append(number)

    def fail() -> None:
        with WriteBehind(write, 5) as writing:
            for number in range(5):
                writing.put(number)
            threading.Timer(0.2, go_on.set).start()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert len(written) <= 1
