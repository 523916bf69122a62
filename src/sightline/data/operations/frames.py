"""Video frames as image files."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from sightline.data.formats.repairs import Repairs
from sightline.data.images import write_image_whole
from sightline.data.progress import in_parallel, with_bar
from sightline.data.storage import check_images_exist
from sightline.data.video import Video, frames_of
from sightline.errors import SightlineError
from sightline.files import sha256_file

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_SEGMENT = 4_000  # frames of one video that a thread extracts; each segment reads the video's index again


def extract_frames(
    dataset: "Dataset",
    folder: Path,
    every: int = 1,
    fps: float | None = None,
    image_format: Literal["png", "jpg"] = "png",
    progress: bool = True,
) -> "Dataset":
    """Samples that are frames of videos, as image files; other samples stay as they are.

    A frame is stored as ``<folder>/<hash of the video>/<frame number>.png``. What is there already is not
    extracted again, so that an interrupted run goes on where it was. Frames that cannot be decoded are
    left out, with a warning that counts them.

    Args:
        dataset: stays as it is.
        folder: where the images are stored.
        every: keep every n-th frame of a video, counted in the video (frames 0, n, 2n ...).
        fps: keep this many frames a second: the first that is shown at or after each moment 0, 1/fps,
            2/fps ..., by the frames' own times. Not together with ``every``.
        image_format: ``png`` keeps every pixel; ``jpg`` is smaller.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: a video is missing or cannot be read, has no such frame, or none of its frames can
            be decoded; or a number that is out of range.
    """
    if every < 1 or (fps is not None and not 0 < fps < float("inf")):
        raise SightlineError(f"every={every}, fps={fps}: give a whole number from 1 up, or frames a second.")
    if every > 1 and fps is not None:
        raise SightlineError("every and fps both say which frames to keep; give one of them.")
    frame = dataset.samples
    check_images_exist(frame)
    is_frame = frame["storage_format"] == "video"
    numbered = frame.select("file_path", pl.col("collection_index").fill_null(0)).filter(is_frame)
    wanted: dict[str, list[int]] = {
        path: _chosen(path, numbers, every, fps)
        for path, numbers in numbered.group_by("file_path", maintain_order=True)
        .agg("collection_index")
        .iter_rows()
    }
    videos = list(wanted)
    hashes = in_parallel(lambda video: sha256_file(Path(video)), videos, "Reading videos", progress=progress)
    folder = folder.absolute()
    folder_of = {video: folder / digest[:32] for video, digest in zip(videos, hashes, strict=True)}
    segments = [
        (video, numbers[start : start + _SEGMENT])
        for video, numbers in wanted.items()
        for start in range(0, len(numbers), _SEGMENT)
    ]

    def extract(segment: tuple[str, list[int]]) -> list[tuple[str, int, str | None]]:
        video, numbers = segment
        targets = {number: folder_of[video] / f"{number:06d}.{image_format}" for number in numbers}
        missing = [number for number, target in targets.items() if not target.exists()]
        broken = set()
        for number, pixels in frames_of(video, missing) if missing else ():
            if pixels is None:
                broken.add(number)
            else:
                write_image_whole(targets[number], pixels)
        return [(video, n, None if n in broken else str(target)) for n, target in targets.items()]

    done = in_parallel(extract, segments, "Extracting frames", progress=False)
    count = sum(map(len, wanted.values()))
    each = (frame for frames in done for frame in frames)
    rows = list(with_bar(each, count, "Extracting frames", progress=progress))
    _report_broken(dataset, rows)
    stored = pl.DataFrame(
        rows,
        schema={"file_path": pl.String, "collection_index": pl.Int64, "image": pl.String},
        orient="row",
    )
    keys = frame.select("file_path", pl.col("collection_index").fill_null(0))
    image = keys.join(stored, on=["file_path", "collection_index"], how="left", maintain_order="left")[
        "image"
    ]
    samples = frame.with_columns(
        pl.when(is_frame).then(image).otherwise("file_path").alias("file_path"),
        pl.when(is_frame).then(pl.lit("image")).otherwise("storage_format").alias("storage_format"),
    )
    return dataset.replace(samples=samples.filter(~is_frame | image.is_not_null()))


def _chosen(path: str, numbers: list[int], every: int, fps: float | None) -> list[int]:
    """Of the frames that a dataset has, those to be kept, ascending."""
    unique = sorted(set(numbers))
    if fps is None:
        return [number for number in unique if number % every == 0]
    video = Video(path)
    try:
        times = video.times()
    finally:
        video.close()
    closest = np.diff(times).min(initial=np.inf)
    if closest >= 1 / fps:
        return unique  # more was asked for than there is
    moments = np.arange(0, times[-1] + 1e-6, 1 / fps)
    # A moment that a frame misses by rounding only is that frame's.
    first = np.searchsorted(times, moments - 1e-6)
    kept = set(first[first < len(times)].tolist())
    return [number for number in unique if number in kept]


def _report_broken(dataset: "Dataset", rows: list[tuple[str, int, str | None]]) -> None:
    repairs = Repairs(f"dataset '{dataset.info.dataset_name}'")
    whole = {video for video, _, image in rows if image is not None}
    for video, number, image in rows:
        if video not in whole:
            raise SightlineError(f"{video}: none of its frames can be decoded; restore the file.")
        if image is None:
            repairs.add("frames that cannot be decoded left out", f"frame {number} of {video}")
    repairs.report()
