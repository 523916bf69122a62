from itertools import cycle

import pytest

from sightline.data import small_files as subject
from sightline.data.image_sizes import image_sizes
from sightline.data.progress import THREADS
from sightline.data.small_files import threads_to_read
from sightline.errors import SightlineError
from tests.data.factory import write_picture


@pytest.mark.parametrize(
    ("seconds", "threads"),
    [([1e-5], 1), ([1e-3], THREADS), ([1e-3, 1e-5], THREADS), ([1e-3] + 15 * [1e-5], 1)],
)
def test_threads_read_what_lets_them_wait(monkeypatch, seconds, threads):
    times = cycle(seconds)
    monkeypatch.setattr(subject, "_seconds", lambda *_: next(times))
    assert threads_to_read(len, [f"{number}.txt" for number in range(1000)]) == threads


def test_the_files_looked_at_are_few_and_from_all_over():
    seen = []
    threads_to_read(seen.append, [f"{number:05d}" for number in range(10_000)])
    assert seen[0] < "00200"
    assert seen[-1] > "09800"
    assert len(seen) < 100


def test_no_files_are_nothing_to_stop_at():
    assert threads_to_read(len, []) == 1


@pytest.mark.parametrize("worth_a_thread", [-1.0, 1e9])
def test_images_have_their_sizes_with_and_without_threads(tmp_path, monkeypatch, worth_a_thread):
    monkeypatch.setattr(subject, "_WORTH_A_THREAD", worth_a_thread)
    paths = [str(write_picture(tmp_path / f"{side}.png", size=(3, side))) for side in range(1, 200)]
    assert image_sizes(paths)[:, 1].tolist() == list(range(1, 200))


@pytest.mark.parametrize("worth_a_thread", [-1.0, 1e9])
def test_of_several_missing_files_the_first_is_named(tmp_path, monkeypatch, worth_a_thread):
    monkeypatch.setattr(subject, "_WORTH_A_THREAD", worth_a_thread)
    write_picture(tmp_path / "0.png")
    with pytest.raises(SightlineError, match=r"/1\.png: image not found"):
        image_sizes([str(tmp_path / f"{number}.png") for number in range(200)])
