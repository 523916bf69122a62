import errno
from pathlib import Path

import pytest

from sightline.data.loading.wording import death_of_worker, described, no_batches, refuse_full
from sightline.errors import SightlineError


def test_the_place_is_in_the_users_file() -> None:
    with pytest.raises(ValueError, match="seven") as caught:
        int("seven")
    text = described(caught.value)
    assert text.startswith("ValueError: invalid literal for int() with base 10: 'seven' (")
    assert f"{__file__}:" in text
    with pytest.raises(FileNotFoundError) as caught:
        Path("/nowhere/at/all").read_text()  # which raises in the standard library
    assert f"{__file__}:" in described(caught.value)


def test_messages_are_one_line_of_bearable_length() -> None:
    assert described(ValueError("one\n   two.")) == "ValueError: one two"
    assert described(KeyError()) == "KeyError"
    assert len(described(ValueError("x" * 10_000))) < 600


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (9, r"pid 12\) died: it was killed, most likely because memory ran out \(.* free now\); take fewer"),
        (7, r"pid 12\) died because shared memory is full \(/dev/shm has .*--shm-size"),
        (
            11,
            r"pid 12\) died of the signal 'Segmentation fault'; if a library crashed, workers=0 shows where",
        ),
        (0, r"pid 12\) died by itself; workers=0 shows where"),
        (-3, r"pid 12\) died by itself; workers=0 shows where"),
    ],
)
def test_how_a_worker_died(number: int, expected: str) -> None:
    with pytest.raises(SightlineError, match=expected):
        raise death_of_worker(12, number)


def test_workers_that_give_no_batches() -> None:
    expected = "the workers give no batches: RuntimeError: Too many open files; try fewer"
    assert str(no_batches(RuntimeError("Too many open files."))).startswith(expected)
    assert "memory ran out" in str(no_batches(MemoryError()))


def test_full_memory() -> None:
    full = RuntimeError(
        "unable to allocate shared memory(shm) for file </torch_1>: No space left on device (28)"
    )
    assert "no room for a batch in shared memory (/dev/shm has" in str(refuse_full(full))
    assert "shared memory" in str(refuse_full(OSError(errno.ENOSPC, "No space left on device")))
    assert "memory ran out" in str(refuse_full(MemoryError()))
    assert refuse_full(ValueError("no label")) is None
