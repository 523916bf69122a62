import logging
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.data.films import number_in, write_video


def _numbers(dataset: Dataset) -> list[int]:
    return [number_in(sample.read_image()) for sample in dataset]


def test_frames_become_images(tmp_path: Path) -> None:
    dataset = Dataset.from_videos(write_video(tmp_path / "a.mp4", 12))
    images = dataset.extract_frames(tmp_path / "frames")
    assert set(images.samples["storage_format"]) == {"image"}
    assert _numbers(images) == list(range(12))
    for video_sample, image_sample in zip(dataset, images, strict=True):
        assert (video_sample.read_image() == image_sample.read_image()).all()
    kept = ["collection_id", "collection_index", "video_info", "meta", "height", "width", "sample_index"]
    assert images.samples.select(kept).equals(dataset.samples.select(kept))
    assert _numbers(dataset.extract_frames(tmp_path / "frames", every=5)) == [0, 5, 10]
    assert _numbers(dataset[3:].extract_frames(tmp_path / "frames", every=5)) == [5, 10]
    jpegs = dataset.extract_frames(tmp_path / "jpegs", image_format="jpg")
    assert Path(jpegs[0].file_path or "").suffix == ".jpg"
    assert _numbers(jpegs) == list(range(12))


def test_frames_a_second_go_by_the_times_of_the_frames(tmp_path: Path) -> None:
    even = Dataset.from_videos(write_video(tmp_path / "even.mp4", 26))
    assert _numbers(even.extract_frames(tmp_path / "f", fps=5)) == [0, 5, 10, 15, 20, 25]
    assert _numbers(even.extract_frames(tmp_path / "f", fps=1000)) == list(range(26))
    times = [0, 40, 50, 200, 1000, 1040, 1500, 2600]
    uneven = Dataset.from_videos(write_video(tmp_path / "uneven.mp4", len(times), times))
    assert _numbers(uneven.extract_frames(tmp_path / "f", fps=2)) == [0, 4, 6, 7]


def test_what_is_there_is_not_extracted_again(tmp_path: Path) -> None:
    dataset = Dataset.from_videos(write_video(tmp_path / "a.mp4", 8))
    images = dataset.extract_frames(tmp_path / "frames")
    paths = [Path(path) for path in images.samples["file_path"]]
    before = [path.stat().st_mtime_ns for path in paths]
    paths[3].unlink()
    again = dataset.extract_frames(tmp_path / "frames")
    assert again.samples.equals(images.samples)
    after = [path.stat().st_mtime_ns for path in paths]
    assert [a == b for a, b in zip(before, after, strict=True)] == [True] * 3 + [False] + [True] * 4
    assert _numbers(again) == list(range(8))
    assert sorted(path for path in (tmp_path / "frames").rglob("*") if path.is_file()) == sorted(paths)


def test_images_stay_as_they_are(tmp_path: Path) -> None:
    films = Dataset.from_videos(write_video(tmp_path / "a.mp4", 3))
    samples = list(films)
    samples[1].file_path, samples[1].storage_format = (
        str(write_picture(tmp_path / "b.png", size=(48, 64))),
        "image",
    )
    mixed = Dataset.from_samples(samples, films.info).extract_frames(tmp_path / "frames")
    assert [Path(sample.file_path or "").name for sample in mixed] == ["000000.png", "b.png", "000002.png"]


def test_broken_frames_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import av

    path = write_video(tmp_path / "a.mp4", 60)
    dataset = Dataset.from_videos(path)
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        places = [(packet.pos, packet.size) for packet in packets if packet.is_keyframe]
    content = bytearray(path.read_bytes())
    for start, size in places[2:3]:
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "sightline.data"):
        images = dataset.extract_frames(tmp_path / "frames")
    assert 40 < len(images) < 60
    assert _numbers(images) == images.samples["collection_index"].to_list()
    assert f"{60 - len(images)} frames that cannot be decoded left out" in caplog.text
    for start, size in places:
        content[start : start + size] = b"\xff" * size
    path.write_bytes(content)
    with pytest.raises(SightlineError, match=r"a\.mp4: .*(decoded|cannot be read)"):
        dataset.extract_frames(tmp_path / "frames")


def test_wrong_arguments_are_one_sentence(tmp_path: Path) -> None:
    dataset = Dataset.from_videos(write_video(tmp_path / "a.mp4", 3))
    for arguments in ({"every": 0}, {"fps": 0.0}, {"fps": float("nan")}, {"fps": float("inf")}):
        with pytest.raises(SightlineError, match="give a whole number from 1 up, or frames a second"):
            dataset.extract_frames(tmp_path / "f", **arguments)  # type: ignore
    with pytest.raises(SightlineError, match="give one of them"):
        dataset.extract_frames(tmp_path / "f", every=2, fps=1.0)
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(SightlineError, match="1 of 1 images are missing"):
        dataset.extract_frames(tmp_path / "f")
