"""Video files, and boxes of the object that was followed through each: ``<name>.mp4``, ``<name>.json``.

A sample is a frame: its ``file_path`` is the video, ``collection_index`` the number of the frame. The
JSON is described in `sightline.data.formats.tracks`.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.context import VideoInfo
from sightline.data.formats.fitting import fitting_task
from sightline.data.formats.image_files import place_images, refuse_empty
from sightline.data.formats.left_out import count_left_out
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.tracked_objects import entries_of, natural_key, tracked_dataset
from sightline.data.formats.tracks import (
    CLASSES_FILE,
    Entry,
    box_table,
    class_in,
    class_of_video,
    read_tracks,
    write_tracks,
)
from sightline.data.info import DatasetInfo
from sightline.data.primitives import Bbox
from sightline.data.progress import in_parallel
from sightline.data.schema import CONTEXT_TYPES
from sightline.data.splits import UNDEFINED, split_from_name
from sightline.data.staging import folder_written_whole
from sightline.data.storage import Storing, check_images_exist
from sightline.data.video import Video, is_video
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def read_videos(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    task_name: str = "object_detection",
    class_name: str | None = None,
    class_from: str | None = None,
    every: int = 1,
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of the frames of a video, of the videos in a folder, or in ``<path>/<split>/``.

    Frames stay in the video: `Sample.read_image` decodes them, and `Dataset.extract_frames` makes images
    of them. They are counted in the stream, and ``meta["time_seconds"]`` is when each is shown, counted
    from the first, also where the frame rate varies. Without any JSON files there is no task.

    Args:
        path: a video, or a folder of videos.
        name: of the dataset; that of the folder or video by default.
        version: of the dataset.
        task_name: of the boxes.
        class_name: the class of all objects.
        class_from: takes the class from the video's name; see `Dataset.from_tracked_objects`.
        every: take every n-th frame. The JSON then has an entry for each of these, or for all frames.
        split: of the samples, where the folder has no splits.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no videos, one that cannot be read, two of one name, or a JSON that is damaged or
            has another number of entries than the video has frames.
    """
    if every < 1:
        raise SightlineError(f"every is {every}; give 1 for all frames, 2 for every second one.")
    root = Path(path).absolute()
    videos = _videos(root, split)
    class_source = class_of_video(root, class_name, class_from)
    repairs = Repairs(root)
    frames: list[pl.DataFrame] = []
    entries: list[Entry] = []
    classes: list[str | None] = []
    labels = [video.with_suffix(".json") for _, video in videos]
    looked_at = in_parallel(_look, [video for _, video in videos], "Reading videos", progress=progress)
    for (in_split, video), label_file, (info, times, cut_short) in zip(
        videos, labels, looked_at, strict=True
    ):
        if cut_short:
            repairs.add(
                "videos end before their header says; are they truncated?",
                f"{video.name}, of which {len(times)} frames are there",
            )
        taken = np.arange(0, len(times), every)
        identity = video.relative_to(root.parent if root == video else root).with_suffix("").as_posix()
        frames.append(_frame_table(video, in_split, identity, info, times, taken))
        found: list[Entry] = [None] * len(taken)
        if label_file.is_file():
            found = _entries(label_file, video, read_tracks(label_file, repairs), len(times), taken)
        entries += found
        seen = any(isinstance(entry, tuple) for entry in found)
        classes += [class_in(identity, class_source) if seen else None] * len(taken)
    samples = pl.concat(frames)
    dataset_info = DatasetInfo(dataset_name=name or root.stem, version=version)
    if not any(label_file.is_file() for label_file in labels):
        repairs.report()
        return cls.from_tables(dataset_info, samples)
    where = [f"{p} frame {n}" for p, n in samples.select("file_path", "collection_index").iter_rows()]
    boxes = box_table(entries, samples.select("height", "width").to_numpy(), repairs, where)
    repairs.report()
    return tracked_dataset(cls, dataset_info, samples, entries, boxes, classes, task_name)


def write_videos(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write each video and its JSON to ``<path>``, or ``<path>/<split>`` where samples have splits.

    The JSON has an entry for every frame of the video; frames that the dataset does not have, or that are
    not annotated, have ``exist`` of null.

    Raises:
        SightlineError: samples that are no video frames, a video in several splits, two videos of one
            name, several boxes in a frame, or a missing file.
    """
    frame = dataset.samples
    unfit = frame.filter((pl.col("storage_format") != "video") | pl.col("collection_index").is_null())
    if len(unfit):
        raise SightlineError(
            f"{unfit['file_path'][0]}: is no frame of a video file ({len(unfit)} samples are not); write "
            "frames that are images as tracked_objects."
        )
    refuse_empty(frame, path)
    check_images_exist(frame)
    has_boxes = task is not None or any(info.primitive is Bbox for info in dataset.info.tasks)
    entries: list[Entry] = []
    class_of: dict[str, str] = {}
    written: list[str] = []
    if has_boxes:
        written = [fitting_task(dataset.info, task, "a folder of videos", Bbox).name]
        named = frame.with_columns(pl.col("collection_id").fill_null(pl.col("file_path")))
        entries, class_of = entries_of(named, *written)
    repairs = Repairs(path)
    count_left_out(dataset, written, repairs)
    repairs.report()
    has_splits = bool((frame["split"] != UNDEFINED).any())
    targets: dict[str, Path] = {}
    with folder_written_whole(Path(path), overwrite=overwrite, marker=CLASSES_FILE) as staging:
        classes: dict[str, str] = {}
        numbered = frame.with_row_index("row")
        for (source,), rows in numbered.group_by("file_path", maintain_order=True):
            video, splits = Path(str(source)), rows["split"].unique().sort().to_list()
            if len(splits) > 1:
                raise SightlineError(
                    f"{video}: its frames are in the splits {', '.join(splits)}; put them in one."
                )
            identity = rows["collection_id"][0] or str(video)
            relative = Path(*splits if has_splits else (), Path(identity).name)
            target = staging / relative.with_name(f"{relative.name}{video.suffix.lower()}")
            if target in targets.values():
                raise SightlineError(
                    f"{video}: another video is named {target.name}; change a collection_id."
                )
            targets[str(video)] = target
            if has_boxes:
                of_frame = dict(zip(rows["collection_index"], rows["row"], strict=True))
                count = max(len(Video(video)), max(of_frame) + 1)
                all_entries = [entries[of_frame[n]] if n in of_frame else None for n in range(count)]
                target.parent.mkdir(parents=True, exist_ok=True)
                write_tracks(target.with_suffix(".json"), all_entries)
            if identity in class_of:
                classes[relative.as_posix()] = class_of[identity]
        place_images(list(targets), list(targets.values()), how, progress=progress, label="Writing videos")
        text = json.dumps(classes, ensure_ascii=False, indent=4, sort_keys=True)
        (staging / CLASSES_FILE).write_text(f"{text}\n", encoding="utf-8")


def is_videos(path: Path) -> bool:
    """Whether ``path`` is a video, or a folder (of split folders) of videos."""
    if path.is_file():
        return is_video(path)
    folders = (
        [path, *(f for f in path.iterdir() if split_from_name(f.name) and f.is_dir())]
        if path.is_dir()
        else []
    )
    return any(is_video(file) for folder in folders for file in folder.iterdir())


def _videos(root: Path, split: str) -> list[tuple[str, Path]]:
    """Each video with its split."""
    if not root.exists():
        raise SightlineError(f"{root}: no such file or folder; give a video or a folder of videos.")
    if root.is_file():
        return [(split, root)]
    found = [(split, file) for file in root.iterdir()]
    for folder in root.iterdir():
        if folder.is_dir() and (in_split := split_from_name(folder.name)):
            found += [(in_split, file) for file in folder.iterdir()]
    videos = [(s, file) for s, file in found if is_video(file) and file.name[0] != "." and file.is_file()]
    if not videos:
        raise SightlineError(f"{root}: holds no videos.")
    videos.sort(key=lambda entry: (entry[1].parent.as_posix(), natural_key(entry[1])))
    names: dict[Path, Path] = {}
    for _, video in videos:
        if video.with_suffix("") in names:
            raise SightlineError(f"{video}: has the name of {names[video.with_suffix('')].name}; rename one.")
        names[video.with_suffix("")] = video
    return videos


def _look(video: Path) -> tuple[VideoInfo, np.ndarray, bool]:
    """What there is to know of a video: its description, when each frame is shown, if its end is missing."""
    opened = Video(video)
    try:
        return opened.info(), opened.times(), opened.is_cut_short()
    finally:
        opened.close()


def _entries(label_file: Path, video: Path, found: list[Entry], count: int, taken: np.ndarray) -> list[Entry]:
    if len(found) == count:
        return [found[number] for number in taken]
    if len(found) == len(taken):
        return found
    what = f"{count} frames" if count == len(taken) else f"{count} frames, {len(taken)} of them taken"
    raise SightlineError(
        f"{label_file}: has {len(found)} entries, but {video.name} has {what}; they must agree."
    )


def _frame_table(
    video: Path, split: str, identity: str, info: VideoInfo, times: np.ndarray, taken: np.ndarray
) -> pl.DataFrame:
    meta = pl.concat_str(pl.lit('{"time_seconds":'), pl.col("seconds").cast(pl.String), pl.lit("}"))
    described = pl.Series([asdict(info)], dtype=CONTEXT_TYPES["video_info"]).new_from_index(0, len(taken))
    return pl.DataFrame({"collection_index": taken, "seconds": times[taken].round(6)}).select(
        pl.lit(str(video)).alias("file_path"),
        pl.lit(info.resolution_height, pl.Int64).alias("height"),
        pl.lit(info.resolution_width, pl.Int64).alias("width"),
        pl.lit(split).alias("split"),
        pl.lit("video").alias("storage_format"),
        pl.lit(identity).alias("collection_id"),
        "collection_index",
        described.alias("video_info"),
        pl.struct(meta.alias("json")).alias("meta"),
    )
