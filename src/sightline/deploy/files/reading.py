"""Images and frames on their way to a model: read and fitted by threads, ahead of their use, in order."""

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from sightline.data.remote.urls import remote_url
from sightline.data.video import Video
from sightline.deploy.files.sources import Source
from sightline.deploy.predictor import Fitted, Predictor
from sightline.deploy.raster.background import read_ahead
from sightline.errors import SightlineError

THREADS = max(2, min(8, os.cpu_count() or 2))
"""Decoders release Python's lock, so two of them overlap with a model on even one core."""


@dataclass(frozen=True)
class Loaded:
    """An image, or a frame of a video.

    ``frame`` and ``seconds`` say which of a video; ``image`` is there where it is to be drawn on.
    """

    source: Source
    fitted: Fitted
    frame: int | None = None
    seconds: float | None = None
    image: np.ndarray | None = None


@dataclass(frozen=True)
class Ended:
    """A file is done. ``problem``: what was wrong with it; ``kept``: what was read of it counts."""

    source: Source
    problem: str | None = None
    kept: bool = True


Item = Loaded | Ended


def read_sources(predictor: Predictor, sources: Sequence[Source], *, keep_images: bool) -> Generator[Item]:
    """Everything in ``sources``, in order. A file that cannot be read ends with its problem."""
    ahead = predictor.batch_size + THREADS
    waiting: deque[tuple[Source, Future[Loaded] | None]] = deque()
    remaining = iter(sources)
    with ThreadPoolExecutor(THREADS, "sightline-read") as pool:
        try:
            while True:
                for source in islice(remaining, ahead - len(waiting)):
                    read = None
                    if not source.is_video:
                        read = pool.submit(_read_image, predictor, source, keep_images)
                    waiting.append((source, read))
                if not waiting:
                    return
                source, read = waiting.popleft()
                yield from (_video(predictor, source, keep_images) if read is None else _image(source, read))
        finally:
            pool.shutdown(cancel_futures=True)


def _image(source: Source, read: Future[Loaded]) -> Iterator[Item]:
    try:
        yield read.result()
    except (SightlineError, OSError, MemoryError) as error:
        yield Ended(source, _sentence(source, error), kept=False)
    else:
        yield Ended(source)


def _read_image(predictor: Predictor, source: Source, keep_image: bool) -> Loaded:
    if url := remote_url(source.path):
        from sightline.data.remote.store import on_disk

        with on_disk(url) as path:
            pixels = predictor.read(path, source.size)
    else:
        pixels = predictor.read(source.path, source.size)
    return Loaded(source, predictor.fit(pixels, source.path), image=pixels if keep_image else None)


def _video(predictor: Predictor, source: Source, keep_images: bool) -> Iterator[Item]:
    try:
        with read_ahead(_frames(predictor, source, keep_images), 2 * predictor.batch_size) as frames:
            yield from frames
    except (SightlineError, OSError, MemoryError) as error:
        yield Ended(source, _sentence(source, error), kept=False)


def _frames(predictor: Predictor, source: Source, keep_images: bool) -> Iterator[Item]:
    """The frames that can be decoded, and in the end how many cannot."""
    video = Video(source.path)
    try:
        times = video.times()
        numbers = range(len(video)) if source.frames is None else source.frames
        bad = 0
        for number in numbers:
            try:
                image = video.frame(number)
            except SightlineError:
                bad += 1
                continue
            chosen = predictor.preprocessing.choose_bands(image, source.path)
            fitted = predictor.fit(chosen, source.path)
            yield Loaded(source, fitted, number, float(times[number]), image if keep_images else None)
        problem = None
        if bad:
            problem = f"{source.path}: {bad} of {len(numbers)} frames cannot be decoded; is the file whole?"
        elif source.frames is None and video.is_cut_short():
            problem = f"{source.path}: ends before its header says, after {len(video)} frames."
        yield Ended(source, problem)
    finally:
        video.close()


def _sentence(source: Source, error: Exception) -> str:
    if isinstance(error, SightlineError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"{source.path}: does not fit into memory."
    return f"{source.path}: cannot be read ({getattr(error, 'strerror', None) or error})."
