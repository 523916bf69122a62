"""Frames of video files: how many there are, when each is shown, and any of them exactly.

Frames are numbered from 0 in the order in which they are shown. What a file's header says of their
number is an estimate, so they are counted in the stream itself, without decoding it.
"""

import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.context import VideoInfo
from sightline.data.remote.urls import not_found
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream
    from av.container import InputContainer
    from av.packet import Packet

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})

_UNCERTAIN = 1.0  # seconds by which the header may say that a whole file is longer than its video
_OPEN_VIDEOS = 4  # decoders that a thread keeps; each holds a few frames


def is_video(path: str | Path) -> bool:
    """Whether the file's name says that it is a video."""
    ending = os.path.splitext(path)[1]  # noqa: PTH122 (asked of each of many files; a path takes longer)
    return ending.lower() in VIDEO_SUFFIXES


def read_frame(path: str | Path, index: int) -> np.ndarray:
    """Frame ``index`` as uint8 RGB of shape (height, width, 3), turned as the file says.

    Reading frames in ascending order decodes each once: the decoder stays open for the next call of the
    same thread.

    Raises:
        SightlineError: the file is missing, is no video, or has no such frame.
    """
    return _video(str(path)).frame(index)


@dataclass(frozen=True)
class _Index:
    """What the packets of a stream say: how many frames are stored, and how many of these are shown.

    ``times`` are in the stream's time base, ascending; ``keys`` are those at which decoding can start.
    Both are None for streams whose packets carry no times.
    """

    stored: int
    count: int
    times: list[int] | None
    keys: list[int] | None


class Video:
    """A video file open for reading; not to be shared between threads.

    Raises:
        SightlineError: the file is missing, or is no video that can be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._begin()

    def __len__(self) -> int:
        return self._index.count

    def times(self) -> np.ndarray:
        """Seconds from the first frame at which each is shown, float64; right for variable frame rates."""
        if self._index.times is None:
            return np.arange(len(self)) / float(self._stream.average_rate or 25)
        times = np.array(self._index.times, dtype=np.float64)
        return (times - times[0]) * float(self._stream.time_base or 1)

    def info(self) -> VideoInfo:
        """Name, frame rate, number of frames and the like."""
        height, width = self.frame(0).shape[:2]
        seconds = self.times()
        rate = self._stream.average_rate
        return VideoInfo(
            name=Path(self.path).stem,
            duration_seconds=round(float(seconds[-1]) + (1 / float(rate) if rate else 0), 6),
            frame_rate=float(rate) if rate else None,
            total_frames=len(self),
            resolution_width=width,
            resolution_height=height,
            aspect_ratio=width / height,
            codec=self._stream.codec_context.name,
            container_format=self._container.format.name,
            bit_rate_kbps=self._container.bit_rate / 1000 if self._container.bit_rate else None,
        )

    def is_cut_short(self) -> bool:
        """Whether the file's header says that there is more than can be found."""
        if "mp4" in self._container.format.name:  # its header counts frames; that of others, if any, ticks
            return self._stream.frames > self._index.stored
        announced = (self._container.duration or 0) / 1e6
        return announced > self.times()[-1] + _UNCERTAIN

    def frame(self, index: int) -> np.ndarray:
        """Frame ``index``, as `read_frame` gives it.

        Raises:
            SightlineError: there is no such frame, or it cannot be decoded.
        """
        if not 0 <= index < len(self):
            raise SightlineError(f"{self.path}: has {len(self)} frames, so there is no frame {index}.")
        found = self._decode_to(index) if self._ahead(index) else self._seek(index)
        if found is None:
            raise SightlineError(
                f"{self.path}: frame {index} of {len(self)} cannot be decoded; is the file whole?"
            )
        return found

    def close(self) -> None:
        """Close the file."""
        self._decoded = iter(())  # which refers to this object, as this does to it
        self._container.close()

    @cached_property
    def _index(self) -> _Index:
        stored = _packets(self.path)
        packets = [(packet.pts, packet.is_keyframe) for packet in stored if not packet.is_discard]
        if not packets:
            raise SightlineError(f"{self.path}: holds no video frames.")
        times = [time for time, _ in packets]
        known = [time for time in times if time is not None]
        if len(known) < len(times) or len(set(known)) < len(known):
            return _Index(len(stored), len(packets), None, None)
        keys = sorted(time for time, is_key in packets if is_key and time is not None)
        return _Index(len(stored), len(packets), sorted(known), keys)

    def _ahead(self, index: int) -> bool:
        """Whether decoding on from here is the shortest way: no key frame lies between."""
        if self._next > index:
            return False
        times, keys = self._index.times, self._index.keys
        if times is None or keys is None or self._next == index:
            return True
        return bisect_right(keys, times[index]) == bisect_right(keys, times[self._next])

    def _seek(self, index: int) -> np.ndarray | None:
        """Frame ``index``, decoding from the last place before it at which that can be started."""
        times, keys = self._index.times, self._index.keys
        place = 0 if keys is None or times is None else bisect_right(keys, times[index])
        if place > 1 and keys is not None:
            self._container.seek(keys[place - 1], stream=self._stream, backward=True)
            self._decoded = self._decode()
            first = next(self._decoded, None)
            if first is not None and first[0] <= index:
                self._decoded = chain([first], self._decoded)
                return self._decode_to(index)
        # The first frames; or the file's index of key frames is wrong, and all frames can still be had
        # by opening it anew.
        self.close()
        self._begin()
        return self._decode_to(index)

    def _begin(self) -> None:
        self._container = _open(self.path)
        self._stream = self._container.streams.video[0]
        # Videos are read side by side by threads and processes of ours. And a decoder's own threads would
        # be missing after a fork, where to free it would wait for them for ever.
        self._stream.codec_context.thread_count = 1
        self._decoded: Iterator[tuple[int, VideoFrame]] = self._decode()
        self._next = 0

    def _decode_to(self, index: int) -> np.ndarray | None:
        for number, frame in self._decoded:
            self._next = number + 1
            if number == index and not frame.is_corrupt:
                return _pixels(frame)
            if number >= index:
                break
        return None

    def _decode(self) -> "Iterator[tuple[int, VideoFrame]]":
        """The frames from here on, with their numbers.

        Those that cannot be decoded are passed over, and with them all up to the next key frame, which
        the decoder would make up from frames that are not there.
        """
        from av.error import FFmpegError

        count, broken = 0, False
        for packet in _until_broken(self._container, self._stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                broken = True
                continue
            for frame in frames:
                number = count if self._numbers is None else self._numbers.get(frame.pts, -1)
                count += 1
                broken = broken and not frame.key_frame
                if number >= 0 and not broken:
                    yield number, frame

    @cached_property
    def _numbers(self) -> dict[int | None, int] | None:
        times = self._index.times
        return None if times is None else {time: number for number, time in enumerate(times)}


def frames_of(path: str | Path, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray | None]]:
    """Frames of one video in ascending order; None for those that cannot be decoded.

    Raises:
        SightlineError: the file is missing, is no video, or has no such frame.
    """
    video = Video(path)
    try:
        for index in sorted(indices):
            if not 0 <= index < len(video):
                raise SightlineError(f"{path}: has {len(video)} frames, so there is no frame {index}.")
            try:
                yield index, video.frame(index)
            except SightlineError:
                yield index, None
    finally:
        video.close()


_Key = tuple[str, int, int]  # path, size and time of change: a file that was replaced is another video


class _OpenVideos(threading.local):
    """The decoders that a thread keeps open, the least recently used first."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.videos: OrderedDict[_Key, Video] = OrderedDict()
        self.of_parents: list[OrderedDict[_Key, Video]] = []

    def after_fork(self) -> None:
        """Begin anew: the parent's decoders share their places in the files with this process."""
        self.of_parents.append(self.videos)
        self.process, self.videos = os.getpid(), OrderedDict()


_open_videos = _OpenVideos()


def _video(path: str) -> Video:
    if _open_videos.process != os.getpid():
        _open_videos.after_fork()
    videos = _open_videos.videos
    try:
        status = Path(path).stat()
    except OSError:
        return Video(path)  # finds the words
    key = path, status.st_size, status.st_mtime_ns
    if key in videos:
        videos.move_to_end(key)
        return videos[key]
    video = Video(path)
    videos[key] = video
    if len(videos) > _OPEN_VIDEOS:
        videos.popitem(last=False)[1].close()
    return video


def _open(path: str) -> "InputContainer":
    try:
        import av
        from av.error import FFmpegError
    except ImportError:
        raise SightlineError(
            f"{path}: reading a video needs PyAV; install it with pip install 'sightline[video]'."
        ) from None
    if not Path(path).exists():
        raise not_found(path, "video")
    try:
        container = av.open(path)
    except (FFmpegError, OSError) as error:
        raise SightlineError(
            f"{path}: cannot be read as a video ({error.strerror}); is the file whole?"
        ) from error
    if not container.streams.video:
        container.close()
        raise SightlineError(f"{path}: holds no video, only other streams.")
    return container


@dataclass(frozen=True)
class _Packet:
    """What a packet says of its frame. One to be discarded is decoded for others, but never shown."""

    pts: int | None
    is_keyframe: bool
    is_discard: bool


def _packets(path: str) -> list[_Packet]:
    """The packets of the video, in the order of the file."""
    with _open(path) as container:
        return [
            _Packet(packet.pts, packet.is_keyframe, packet.is_discard)
            for packet in _until_broken(container, container.streams.video[0])
            if packet.size
        ]


def _until_broken(container: "InputContainer", stream: "VideoStream") -> "Iterator[Packet[VideoStream]]":
    """The packets of a stream, as far as the file can be read: a truncated one ends early."""
    from av.error import FFmpegError

    with suppress(FFmpegError):
        yield from container.demux(stream)


def _pixels(frame: "VideoFrame") -> np.ndarray:
    pixels: Any = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters)) if quarters else pixels
