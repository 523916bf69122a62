import json
import logging
import shutil
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.data.formats.video import is_videos
from sightline.errors import SightlineError
from tests.data.films import number_in, write_video
from tests.needs import shared_data


def _labelled(path: Path, count: int, entries: int) -> Path:
    write_video(path, count)
    labels = {
        "exist": [number % 2 for number in range(entries)],
        "gt_rect": [[n, 1, 4, 4] for n in range(entries)],
    }
    path.with_suffix(".json").write_text(json.dumps(labels))
    return path


def test_drone_videos_are_their_frames(tmp_path: Path) -> None:
    root = shared_data("drone-ir")
    assert is_videos(root / "videos")
    for name in ("IR_BIRD_001", "IR_DRONE_001"):
        shutil.copyfile(root / "videos" / f"{name}.mp4", tmp_path / f"{name}.mp4")
        shutil.copyfile(root / "frames" / name / "IR_label.json", tmp_path / f"{name}.json")
    dataset = Dataset.from_videos(tmp_path, every=10, class_from="folder")
    frames = Dataset.from_tracked_objects(root / "frames", class_from="folder")
    of_frame = {(s.collection_id, s.collection_index): s for s in frames}
    assert dataset.info.task().class_names == ["BIRD", "DRONE"]
    assert len(dataset) == 62
    for position, sample in enumerate(dataset):
        expected = of_frame[sample.collection_id, sample.collection_index]
        assert [b.to_pixels(1, 1) for b in sample.bboxes or []] == [
            b.to_pixels(1, 1) for b in expected.bboxes or []
        ]
        if position % 7 == 0:
            assert (sample.read_image() == expected.read_image()).all()
    video = dataset[0].video_info
    assert video is not None
    assert (video.total_frames, video.frame_rate, video.codec) == (310, 30.0, "h264")
    assert (dataset[1].meta or {})["time_seconds"] == pytest.approx(1 / 3, abs=1e-6)


def test_videos_come_back(tmp_path: Path) -> None:
    _labelled(tmp_path / "in" / "film2.mp4", 6, 6)
    _labelled(tmp_path / "in" / "film10.mkv", 4, 4)
    dataset = Dataset.from_videos(tmp_path / "in", class_name="car")
    assert dataset.samples["collection_id"].unique(maintain_order=True).to_list() == ["film2", "film10"]
    assert [len(sample.bboxes or []) for sample in dataset] == [0, 1] * 5
    assert [number_in(sample.read_image()) for sample in dataset] == [*range(6), *range(4)]
    dataset.to_videos(tmp_path / "out")
    again = Dataset.from_videos(tmp_path / "out", name="in")
    assert again.samples.drop("file_path").equals(dataset.samples.drop("file_path"))
    # Frames that were left out are written as frames that nobody looked at.
    dataset[1:3].to_videos(tmp_path / "two")
    boxes = [sample.bboxes for sample in Dataset.from_videos(tmp_path / "two")]
    assert [None if found is None else len(found) for found in boxes] == [None, 1, 0, None, None, None]


def test_bare_videos_have_no_task(tmp_path: Path) -> None:
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        write_video(tmp_path / split / "a.mp4", 5)
    dataset = Dataset.from_videos(tmp_path, every=2)
    assert dataset.info.tasks == []
    assert dataset.samples.select("split", "collection_id", "collection_index").rows() == [
        (split, f"{folder}/a", number)
        for split, folder in (("train", "train"), ("validation", "val"))
        for number in (0, 2, 4)
    ]
    assert dataset[0].bboxes is None
    dataset.to_videos(tmp_path / "out")
    assert (
        Dataset.from_videos(tmp_path / "out", every=2).samples["split"].to_list()
        == dataset.samples["split"].to_list()
    )
    one = Dataset.from_videos(tmp_path / "train" / "a.mp4", split="test")
    assert (one.info.dataset_name, len(one), one[0].split, one[0].collection_id) == ("a", 5, "test", "a")


def test_a_truncated_video_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    whole = write_video(tmp_path / "a.mkv", 100)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "a.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with caplog.at_level(logging.WARNING, "sightline.data"):
        assert len(Dataset.from_videos(whole)) == 100
        assert not caplog.text
        assert 0 < len(Dataset.from_videos(tmp_path / "half")) < 60
    assert "1 videos end before their header says" in caplog.text


def test_malformed_videos_are_refused_by_name(tmp_path: Path) -> None:
    path = _labelled(tmp_path / "film.mp4", 6, 5)
    with pytest.raises(SightlineError, match=r"film\.json: has 5 entries, but film\.mp4 has 6 frames"):
        Dataset.from_videos(path)
    with pytest.raises(SightlineError, match=r"film\.mp4 has 6 frames, 3 of them taken"):
        Dataset.from_videos(path, every=2)
    with pytest.raises(SightlineError, match="every is 0"):
        Dataset.from_videos(path, every=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SightlineError, match="empty: holds no videos"):
        Dataset.from_videos(tmp_path / "empty")
    with pytest.raises(SightlineError, match="no such file or folder"):
        Dataset.from_videos(tmp_path / "none")
    (tmp_path / "empty" / "a.mp4").write_text("no video")
    with pytest.raises(SightlineError, match=r"a\.mp4: cannot be read as a video"):
        Dataset.from_videos(tmp_path / "empty")
    (tmp_path / "empty" / "a.avi").write_text("no video")
    with pytest.raises(SightlineError, match=r"a\.mp4: has the name of a\.avi"):
        Dataset.from_videos(tmp_path / "empty")


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = _labelled(tmp_path / "film.mp4", 4, 4)
    dataset = Dataset.from_videos(path)
    samples = list(dataset)
    samples[0].split = "train"
    with pytest.raises(SightlineError, match=r"film\.mp4: its frames are in the splits UNDEFINED, train"):
        Dataset.from_samples(samples, dataset.info).to_videos(tmp_path / "out")
    with pytest.raises(SightlineError, match=r"0+\.png: is no frame of a video file \(4 samples are not\)"):
        dataset.extract_frames(tmp_path / "frames").to_videos(tmp_path / "out")
    assert not (tmp_path / "out").exists()
