import multiprocessing
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data.video import Video, frames_of, is_video, read_frame
from sightline.errors import SightlineError
from tests.data.films import number_in, write_video
from tests.needs import shared_data


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.avi", "mpeg4")],
)
def test_any_frame_in_any_order_is_the_right_one(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 40, codec=codec)
    order = list(range(40))
    random.Random(7).shuffle(order)
    assert [number_in(read_frame(path, number)) for number in order] == order
    assert [number_in(read_frame(path, number)) for number in range(40)] == list(range(40))
    assert len(Video(path)) == 40


def test_times_of_a_variable_frame_rate(tmp_path: Path) -> None:
    times = [0, 40, 50, 200, 1000, *range(1040, 2000, 40)]
    video = Video(write_video(tmp_path / "a.mp4", len(times), times))
    assert len(video) == len(times)
    assert np.allclose(video.times(), np.array(times) / 1000, atol=1e-3)
    assert [number_in(video.frame(number)) for number in (5, 3, 20)] == [5, 3, 20]


def test_rotated_videos_are_turned_upright(tmp_path: Path) -> None:
    plain = read_frame(write_video(tmp_path / "a.mp4", 3), 1)
    turned = read_frame(write_video(tmp_path / "b.mp4", 3, rotation=90), 1)
    assert turned.shape == (64, 48, 3)
    assert (turned == np.rot90(plain)).all()
    info = Video(tmp_path / "b.mp4").info()
    assert (info.resolution_height, info.resolution_width) == (64, 48)


def test_frames_equal_those_that_others_extracted() -> None:
    root = shared_data("drone-ir")
    frames = sorted((root / "frames" / "IR_BIRD_001").glob("*.png"))
    for frame in random.Random(1).sample(frames, 12):
        expected = np.array(Image.open(frame).convert("RGB"))
        pixels = read_frame(root / "videos" / "IR_BIRD_001.mp4", int(frame.stem))
        assert (pixels == expected).all(), frame


def test_a_truncated_video_gives_what_is_there(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mkv", 100)
    assert not Video(whole).is_cut_short()
    half = tmp_path / "half.mkv"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    video = Video(half)
    assert 10 < len(video) < 60
    assert video.is_cut_short()
    found = list(frames_of(half, range(len(video))))
    assert all(pixels is None or number_in(pixels) == number for number, pixels in found)


def test_a_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    assert number_in(read_frame(path, 2)) == 2
    write_video(tmp_path / "b.mp4", 9).replace(path)
    assert number_in(read_frame(path, 8)) == 8


def test_a_forked_process_and_its_parent_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 40)
    assert number_in(read_frame(path, 3)) == 3
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_numbers, (path, [20, 4, 39])).get(60) == [20, 4, 39]
    assert _numbers(path, [4, 5, 30]) == [4, 5, 30]


def _numbers(path: Path, indices: list[int]) -> list[int]:
    return [number_in(read_frame(path, index)) for index in indices]


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    with pytest.raises(SightlineError, match=r"a\.mp4: has 5 frames, so there is no frame 5"):
        read_frame(path, 5)
    with pytest.raises(SightlineError, match=r"a\.mp4: has 5 frames, so there is no frame -1"):
        list(frames_of(path, [-1]))
    with pytest.raises(SightlineError, match=r"none\.mp4: video not found"):
        read_frame(tmp_path / "none.mp4", 0)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "half.mp4").write_bytes(path.read_bytes()[:500])
    for name in ("text.mp4", "half.mp4"):
        with pytest.raises(SightlineError, match=rf"{name}: cannot be read as a video"):
            read_frame(tmp_path / name, 0)


def test_names_of_videos() -> None:
    assert is_video(Path("a.MP4"))
    assert not is_video(Path("a.png"))
