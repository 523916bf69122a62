"""Predictions drawn on images and into videos."""

from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from sightline.data.images import as_eight_bits, write_image
from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, Prediction
from sightline.data.primitives import Bbox, Bitmask, Classification, Segmentation
from sightline.data.sample import Sample
from sightline.deploy.files.records import above
from sightline.errors import SightlineError

SHOWN = 0.3
"""What is less sure than this is not drawn, unless something else is said."""

_TICKS = 90_000  # a second, in which frames are timed


def drawn(image: np.ndarray, prediction: Prediction, classes: Sequence[str], threshold: float) -> np.ndarray:
    """A picture, uint8 RGB, of an image (height, width, bands) with what is surer than ``threshold`` on it.

    Images of other bands than RGB are shown by their first three or one, brightest value white.
    """
    height, width = image.shape[:2]
    found = above(prediction, threshold)
    sample = Sample(file_path=None, height=height, width=width)
    if isinstance(found, ClassScores):
        sample.classifications = _likeliest(found, classes)
    elif isinstance(found, Detections):
        sample.bboxes = _boxes(found, classes, height, width)
    else:
        sample.bitmasks = _masks(found, classes)
    return sample.draw_annotations(_as_picture(image))


def _as_picture(image: np.ndarray) -> np.ndarray:
    bands = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if bands.dtype == np.uint8:
        return np.ascontiguousarray(bands)
    values = np.nan_to_num(bands.astype(np.float32))
    brightest = float(values.max())
    return as_eight_bits(values * (255 / brightest) if brightest > 0 else values)


def _likeliest(found: ClassScores, classes: Sequence[str]) -> list[Classification]:
    best = int(found.scores.argmax())
    score = float(found.scores[best])
    return [Classification(class_name=classes[best], confidence=score, ground_truth=False)]


def _masks(found: ClassMap, classes: Sequence[str]) -> list[Bitmask]:
    labels: list[int] = np.unique(found.classes[found.classes != NO_CLASS]).tolist()
    return [Segmentation.from_mask(found.classes == label, class_name=classes[label]) for label in labels]


def _boxes(found: Detections, classes: Sequence[str], height: int, width: int) -> list[Bbox]:
    boxes: list[Bbox] = []
    for index in range(len(found.boxes))[::-1]:  # the surest last, on top
        left, top, right, bottom = found.boxes[index].tolist()
        box = Bbox.from_pixels(
            left=left,
            top=top,
            width=right - left,
            height=bottom - top,
            image_width=width,
            image_height=height,
            class_name=classes[int(found.labels[index])],
        )
        box.confidence, box.ground_truth = float(found.scores[index]), False
        if found.tracks is not None:  # beside the class, in brackets
            box.classifications = [Classification(class_name=str(found.tracks[index]))]
        boxes.append(box)
    return boxes


def write_picture(folder: Path, name: str, pixels: np.ndarray) -> Path:
    """Write a drawn picture as ``folder/<name>.jpg``, whole or not at all."""
    path = folder / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Always the same name, so that work that goes on after a kill writes over what was left of it.
    part = path.with_name(f".{path.stem}.part.jpg")
    try:
        write_image(part, pixels)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


class Film:
    """A video that is written frame by frame, and is there under its name once `finish` was called.

    Args:
        path: of the file, an ``.mp4``.
        rate: frames a second.

    Raises:
        SightlineError: PyAV is not installed.
    """

    def __init__(self, path: Path, rate: float) -> None:
        try:
            import av
        except ImportError:
            raise SightlineError(
                f"{path}: writing a video needs PyAV; install it with pip install 'sightline[video]'."
            ) from None
        self.path = path
        self._av, self._rate = av, Fraction(rate).limit_denominator(1000)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._staging = path.with_name(f".{path.name}.part")
        self._container: Any = av.open(str(self._staging), "w", format="mp4")
        self._stream: Any = None
        self._start = 0.0

    def add(self, pixels: np.ndarray, seconds: float) -> None:
        """Add a frame, uint8 RGB, shown at ``seconds``; the first decides the size and the beginning."""
        # Encoders want even sides.
        pixels = np.ascontiguousarray(pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2])
        if self._stream is None:
            codec = "libx264" if "libx264" in self._av.codecs_available else "mpeg4"
            self._stream = self._container.add_stream(codec, rate=self._rate)
            self._stream.height, self._stream.width = pixels.shape[:2]
            self._stream.pix_fmt = "yuv420p"
            self._stream.time_base = self._stream.codec_context.time_base = Fraction(1, _TICKS)
            self._start = seconds
        frame = self._av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = round((seconds - self._start) * _TICKS), Fraction(1, _TICKS)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what is left, and give the file its name."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._staging.replace(self.path)

    def give_up(self) -> None:
        """Leave no file."""
        with suppress(self._av.error.FFmpegError, OSError):
            self._container.close()
        self._staging.unlink(missing_ok=True)
