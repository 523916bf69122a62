import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Dataset
from sightline.data.formats.tracked_objects import is_tracked_objects
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture
from tests.needs import shared_data


def _video(
    folder: Path, frames: list[str], exist: list[Any], boxes: list[Any], text: str | None = None
) -> Path:
    for number, name in enumerate(frames):
        write_picture(folder / name, number)
    (folder / "label.json").write_text(text or json.dumps({"exist": exist, "gt_rect": boxes}))
    return folder


BOX = [2, 3, 4, 6]


def test_drone_videos_come_back(tmp_path: Path) -> None:
    root = shared_data("drone-ir") / "frames"
    assert is_tracked_objects(root)
    dataset = Dataset.from_tracked_objects(root, class_from="folder")
    assert len(dataset) == 374
    assert dataset.info.task().class_names == ["AIRPLANE", "BIRD", "DRONE", "HELICOPTER"]
    labels = json.loads((root / "IR_DRONE_001" / "IR_label.json").read_text())
    frames = [sample for sample in dataset if sample.collection_id == "IR_DRONE_001"]
    assert [sample.collection_index for sample in frames] == list(range(0, 301, 10))
    for sample, exist, (x, y, width, height) in zip(frames, labels["exist"], labels["gt_rect"], strict=True):
        assert Path(sample.file_path or "").stem == f"{sample.collection_index:06d}"
        assert exist == 1
        assert sample.bboxes is not None
        assert sample.bboxes[0].to_pixels(320, 256) == pytest.approx((x, y, x + width, y + height))
    dataset.to_tracked_objects(tmp_path / "out", label_file="IR_label.json")
    for source in sorted(root.rglob("*")):
        written = tmp_path / "out" / source.relative_to(root)
        if source.suffix == ".png":
            assert source.read_bytes() == written.read_bytes()
        elif source.suffix == ".json":
            before, after = json.loads(source.read_text()), json.loads(written.read_text())
            assert after["exist"] == before["exist"]
            for seen, a, b in zip(before["exist"], before["gt_rect"], after["gt_rect"], strict=True):
                assert b == (pytest.approx(a, abs=1e-6) if seen else [0, 0, 0, 0])
    again = Dataset.from_tracked_objects(tmp_path / "out", name="frames")
    assert again.samples.drop("file_path", "bboxes").equals(dataset.samples.drop("file_path", "bboxes"))
    assert [len(s.bboxes or []) for s in again] == [len(s.bboxes or []) for s in dataset]


def test_frames_are_sorted_as_they_were_numbered(tmp_path: Path) -> None:
    frames = [f"frame{number}.png" for number in (1, 2, 3, 10, 11, 100)]
    video = _video(tmp_path / "v" / "bird-7", frames, [1, 0, 1, 1, 1, 1], [[n, 1, 2, 2] for n in range(6)])
    dataset = Dataset.from_tracked_objects(video.parent, class_from=r"^(\w+)-")
    assert [Path(s.file_path or "").name for s in dataset] == frames
    assert [s.collection_index for s in dataset] == [1, 2, 3, 10, 11, 100]
    assert [None if not s.bboxes else round(s.bboxes[0].top_left_x * WIDTH) for s in dataset] == [
        0,
        None,
        2,
        3,
        4,
        5,
    ]
    assert dataset[1].bboxes == []
    assert dataset.info.task().class_names == ["bird"]


def test_a_split_by_video_separates_no_frames(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for video in ("a", "b"):
            _video(tmp_path / "in" / split / f"{split}-{video}", ["0.png", "1.png"], [1, 0], [BOX, BOX])
    dataset = Dataset.from_tracked_objects(tmp_path / "in", class_name="drone")
    assert dataset.samples.group_by("split", "collection_id").len()["len"].to_list() == [2, 2, 2, 2]
    dataset.to_tracked_objects(tmp_path / "out")
    again = Dataset.from_tracked_objects(tmp_path / "out", name="in")
    assert again.samples.drop("file_path").equals(dataset.samples.drop("file_path"))


def test_one_video_by_itself(tmp_path: Path) -> None:
    dataset = Dataset.from_tracked_objects(_video(tmp_path / "clip", ["0.png"], [True], [BOX]), split="train")
    assert dataset.info.task().class_names == ["object"]
    assert dataset[0].bboxes == [
        Bbox(top_left_x=2 / WIDTH, top_left_y=3 / HEIGHT, width=4 / WIDTH, height=6 / HEIGHT,
             class_name="object", class_idx=0, object_id="clip")
    ]  # fmt: skip


numbers = st.floats(-15, 20) | st.sampled_from([0.0, 0.0, float("nan"), -20.0])
boxes = st.lists(numbers, min_size=4, max_size=4) | st.sampled_from(
    [[], None, "x", [1, 2, 3], [1, 2, 3, "4"]]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from([0, 1, None]), boxes), min_size=1, max_size=3))
def test_a_box_is_right_or_unknown_and_counted_or_refused(
    tmp_path_factory: pytest.TempPathFactory,
    caplog: pytest.LogCaptureFixture,
    entries: list[tuple[int | None, Any]],
) -> None:
    caplog.clear()
    video = _video(
        tmp_path_factory.mktemp("video") / "v",
        [f"{n}.png" for n in range(len(entries))],
        *map(list, zip(*entries, strict=True)),
    )
    seen = [box for exist, box in entries if exist]
    try:
        dataset = Dataset.from_tracked_objects(video)
    except SightlineError as error:
        assert str(video) in str(error)  # noqa: PT017
        assert not all(map(_can_be_read, seen))
        return
    assert all(map(_can_be_read, seen))
    empty = [box for box in seen if not box]
    no_size = [box for box in seen if box and 0 in box[2:]]
    for sample, (exist, box) in zip(dataset, entries, strict=True):
        if not exist:
            assert sample.bboxes == (None if exist is None else [])
        elif box in empty or box in no_size:
            assert sample.bboxes is None
        else:
            (found,) = sample.bboxes or ()
            corners = (box[0], box[1], box[0] + box[2], box[1] + box[3])
            assert found.to_pixels(WIDTH, HEIGHT) == pytest.approx(corners, abs=1e-9)
    assert (f": {len(empty)} frames that show the object without a box" in caplog.text) == bool(empty)
    assert (f": {len(no_size)} boxes of no size left out" in caplog.text) == bool(no_size)


def _can_be_read(box: Any) -> bool:
    if not box:
        return True
    if not isinstance(box, list) or len(box) != 4 or "4" in box:
        return False
    return min(box[2:]) >= 0 and box[1] > -1.5 * HEIGHT and all(number == number for number in box)


def test_malformed_videos_are_refused_by_name(tmp_path: Path) -> None:
    def refused(name: str, sentence: str, *, frames: int = 2, **options: Any) -> None:
        with pytest.raises(SightlineError, match=sentence):
            Dataset.from_tracked_objects(tmp_path / name, **options)

    two = ["0.png", "1.png"]
    _video(tmp_path / "short" / "vid", two, [1], [BOX])
    refused("short", r"label\.json: has 1 entries, but video 'vid' has 2 frames")
    _video(tmp_path / "odd" / "vid", two, [1, 0], [BOX])
    refused("odd", r"label\.json: 'exist' has 2 entries and 'gt_rect' 1")
    _video(tmp_path / "cut" / "vid", two, [], [], text='{"exist": [1, 0], "gt_re')
    refused("cut", r"label\.json: cannot be read as JSON")
    _video(tmp_path / "list" / "vid", two, [], [], text="[1, 2]")
    refused("list", r"label\.json: expected")
    _video(tmp_path / "text" / "vid", two, [], [], text='{"exist": "11", "gt_rect": []}')
    refused("text", r"label\.json: expected")
    _video(tmp_path / "two" / "vid", two, [2, 0], [BOX, BOX])
    refused("two", r"'exist' entry 0 is 2, expected 0 or 1")
    video = _video(tmp_path / "latin" / "vid", two, [1, 1], [BOX, BOX])
    (video / "label.json").write_bytes(b'{"exist": [1, 1], "note": "\xe9"}')
    refused("latin", r"label\.json: cannot be read as JSON \('utf-8' codec")
    video = _video(tmp_path / "more" / "vid", two, [1, 1], [BOX, BOX])
    (video / "other.json").write_text("{}")
    refused("more", r"vid: has 2 JSON files \(label\.json, other\.json\)")
    (video / "other.json").unlink()
    (video / "1.png").write_text("no picture")
    refused("more", r"1\.png: cannot be read as an image")
    (tmp_path / "bare" / "vid").mkdir(parents=True)
    refused("bare", r"vid: holds no frames")
    write_picture(tmp_path / "bare" / "vid" / "0.png")
    refused("bare", r"vid: has no JSON file")
    refused("none", "no such folder")
    refused("two", "give one of them", class_name="a", class_from="folder")
    refused("two", "is no regular expression", class_from="(")
    _video(tmp_path / "named" / "vid", two, [1, 1], [BOX, BOX])
    refused("named", "finds no class in the name of video 'vid'", class_from=r"(\d+)")
    (tmp_path / "named" / "classes.json").write_text('{"other": "x"}')
    refused("named", "does not say the class of video 'vid'")


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    dataset = Dataset.from_tracked_objects(_video(tmp_path / "clip", ["0.png", "1.png"], [1, 1], [BOX, BOX]))
    first, second = dataset
    assert first.bboxes is not None
    for change, sentence in (
        ({"collection_id": None}, r"0\.png: is not one frame of a video"),
        ({"collection_id": "a/b"}, r"0\.png: is not one frame of a video"),
        ({"collection_index": 1}, r"is not one frame of a video.*2 samples are like that"),
        ({"bboxes": [*first.bboxes, *first.bboxes]}, r"0\.png: has several boxes"),
    ):
        changed = dataset[0]
        for field, value in change.items():
            setattr(changed, field, value)
        with pytest.raises(SightlineError, match=sentence):
            Dataset.from_samples([changed, second], dataset.info).to_tracked_objects(tmp_path / "out")
        assert not (tmp_path / "out").exists()
