import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.progress import in_order


@given(items=st.lists(st.integers()), threads=st.integers(1, 4), ahead=st.integers(1, 6))
def test_results_are_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    assert list(in_order(lambda item: item + 1, iter(items), threads, ahead)) == [item + 1 for item in items]


def test_no_more_items_are_taken_than_may_be_begun() -> None:
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(abs, items(), threads=2, ahead=3)
    for count in range(1, 10):
        next(results)
        assert len(taken) == count + 2
    results.close()


def test_several_are_worked_on_at_once_by_as_many_threads() -> None:
    both = threading.Barrier(2, timeout=30)
    assert len(list(in_order(lambda _: both.wait(), range(6), threads=2, ahead=2))) == 6


def test_the_first_error_ends_it_and_no_thread_goes_on() -> None:
    done, before = [], set(threading.enumerate())

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("three")
        time.sleep(0.001)
        done.append(item)

    with pytest.raises(ValueError, match="three"):
        list(in_order(work, range(1000), threads=2, ahead=4))
    assert len(done) < 10
    assert set(threading.enumerate()) <= before
