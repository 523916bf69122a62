"""Following objects from frame to frame by where they are.

After ByteTrack (Zhang et al. 2021, arXiv:2110.06864): boxes that are sure are matched first, then what is
left of the tracks with boxes that are not, which are often the same objects half hidden; only sure ones begin
a track. Simpler than there: an object is expected where a constant velocity takes it, which is smoothed
rather than a Kalman filter's, and pairs are taken greedily from the largest overlap down, not optimally in
sum.
"""

from dataclasses import dataclass, field
from itertools import count
from typing import Annotated

import numpy as np
from pydantic import Field

from sightline.config import Config
from sightline.data.predictions import Detections

Share = Annotated[float, Field(ge=0, le=1)]

_NEW_SHARE = 0.5  # of the newest step in the velocity


class TrackerConfig(Config):
    """When two boxes are the same object."""

    sure: Share = 0.5
    """Boxes of at least this score are matched first, and may begin a track."""
    least: Share = 0.1
    """Boxes below this score are left out."""
    overlap: Share = 0.3
    """Intersection over union that a sure box and an expected place need."""
    unsure_overlap: Share = 0.5
    """The same for boxes that are not sure."""
    patience: Annotated[int, Field(ge=0)] = 30
    """Frames that an object may be out of sight."""


@dataclass
class _Track:
    number: int
    label: int
    box: np.ndarray
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(4))
    frame: int = 0

    def expected(self, frame: int) -> np.ndarray:
        """Where its box would be in that frame, at its velocity."""
        return self.box + self.velocity * (frame - self.frame)

    def move(self, box: np.ndarray, frame: int) -> None:
        """It was seen there."""
        step = (box - self.box) / (frame - self.frame)
        self.velocity = (1 - _NEW_SHARE) * self.velocity + _NEW_SHARE * step
        self.box, self.frame = box, frame


class Tracker:
    """Gives the objects of one video numbers, frame by frame."""

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self._config = config or TrackerConfig()
        self._tracks: list[_Track] = []
        self._numbers = count(1)
        self._frame = 0

    def follow(self, found: Detections) -> Detections:
        """What was found in the next frame, with ``tracks``; boxes that belong to none are left out."""
        config, self._frame = self._config, self._frame + 1
        numbers = np.zeros(len(found.boxes), dtype=np.int64)
        boxes = found.boxes.astype(np.float64)
        sure = found.scores >= config.sure
        unsure = ~sure & (found.scores >= config.least)
        self._tracks = [one for one in self._tracks if self._frame - one.frame <= config.patience + 1]
        waiting = self._matched(self._tracks, boxes, found.labels, sure, numbers, config.overlap)
        # Whoever was out of sight is not brought back by a guess.
        seen = [one for one in waiting if self._frame - one.frame == 1]
        self._matched(seen, boxes, found.labels, unsure, numbers, config.unsure_overlap)
        for index in np.flatnonzero(sure & (numbers == 0)).tolist():
            track = _Track(next(self._numbers), int(found.labels[index]), boxes[index], frame=self._frame)
            self._tracks.append(track)
            numbers[index] = track.number
        kept = numbers > 0
        return Detections(found.boxes[kept], found.scores[kept], found.labels[kept], numbers[kept])

    def _matched(
        self,
        tracks: list[_Track],
        boxes: np.ndarray,
        labels: np.ndarray,
        among: np.ndarray,
        numbers: np.ndarray,
        least: float,
    ) -> list[_Track]:
        """Give ``numbers`` to boxes of ``among`` that fit a track; return the tracks that none fits."""
        indices = np.flatnonzero(among)
        if not tracks or not len(indices):
            return tracks
        expected = np.stack([track.expected(self._frame) for track in tracks])
        overlaps = box_overlaps(expected, boxes[indices])
        overlaps[np.array([track.label for track in tracks])[:, None] != labels[indices]] = 0
        free = set(range(len(tracks)))
        for place in np.argsort(-overlaps, axis=None, kind="stable").tolist():
            row, column = divmod(place, len(indices))
            if overlaps[row, column] < max(least, 1e-9):
                break
            index = int(indices[column])
            if row in free and not numbers[index]:
                free.remove(row)
                numbers[index] = tracks[row].number
                tracks[row].move(boxes[index], self._frame)
        return [tracks[row] for row in sorted(free)]


def box_overlaps(ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes (N, 4) and (M, 4), left, top, right, bottom: (N, M)."""
    sides = np.minimum(ones[:, None, 2:], others[:, 2:]) - np.maximum(ones[:, None, :2], others[:, :2])
    shared = sides.clip(0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1) for boxes in (ones, others)]
    union = areas[0][:, None] + areas[1] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
