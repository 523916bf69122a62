"""Predictions as JSON: a mapping for each image or frame, which can be read back."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, Prediction
from sightline.data.primitives.rle import decode_mask, encode_mask

Record = dict[str, Any]
"""``file``, ``frame`` and ``seconds`` (of videos), ``height`` and ``width`` of the image, and by the kind of
prediction:

- classification: ``class`` and ``score`` of the likeliest, ``scores`` of all by name;
- detection: ``objects``, each with ``class``, ``score``, ``box`` (left, top, right, bottom in pixels) and,
  where objects were followed, ``track``;
- segmentation: ``areas``, one for each class that is there, with ``class``, ``score`` (mean over its pixels),
  ``pixels`` and ``rle`` (COCO's compressed run-length encoding of the whole image).
"""


def result_of(prediction: Prediction, classes: Sequence[str]) -> Record:
    """What a prediction says, without where it is from."""
    if isinstance(prediction, ClassScores):
        scores = [float(score) for score in prediction.scores]
        best = int(prediction.scores.argmax())
        return {
            "class": classes[best],
            "score": scores[best],
            "scores": dict(zip(classes, scores, strict=True)),
        }
    if isinstance(prediction, Detections):
        return {"objects": _objects(prediction, classes)}
    return {"areas": _areas(prediction, classes)}


def _objects(found: Detections, classes: Sequence[str]) -> list[Record]:
    tracks = [None] * len(found.boxes) if found.tracks is None else found.tracks.tolist()
    columns = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), tracks, strict=True)
    return [
        {"class": classes[label], "score": score, "box": box} | ({} if track is None else {"track": track})
        for label, score, box, track in columns
    ]


def _areas(found: ClassMap, classes: Sequence[str]) -> list[Record]:
    areas = []
    for label in np.unique(found.classes[found.classes != NO_CLASS]).tolist():
        mask = found.classes == label
        score = None if found.scores is None else float(found.scores[mask].mean(dtype=np.float64))
        areas.append(
            {
                "class": classes[label],
                "score": score,
                "pixels": int(np.count_nonzero(mask)),
                "rle": encode_mask(mask),
            }
        )
    return areas


def prediction_of(record: Record, classes: Sequence[str]) -> Prediction:
    """The prediction that a record holds; scores of a class map are the mean of their class."""
    index = {name: number for number, name in enumerate(classes)}
    if "scores" in record:
        return ClassScores(np.array([record["scores"][name] for name in classes], dtype=np.float32))
    if "objects" in record:
        objects = record["objects"]
        boxes = np.array([one["box"] for one in objects], dtype=np.float32).reshape(-1, 4)
        scores = np.array([one["score"] for one in objects], dtype=np.float32)
        labels = np.array([index[one["class"]] for one in objects], dtype=np.int64)
        followed = bool(objects) and "track" in objects[0]
        tracks = np.array([one["track"] for one in objects], dtype=np.int64) if followed else None
        return Detections(boxes, scores, labels, tracks)
    height, width = record["height"], record["width"]
    classes_of = np.full((height, width), NO_CLASS, dtype=np.uint8)
    scores_of = np.zeros((height, width), dtype=np.float32)
    for area in record["areas"]:
        mask = decode_mask(area["rle"], height, width)
        classes_of[mask] = index[area["class"]]
        scores_of[mask] = area["score"] if area["score"] is not None else 0
    return ClassMap(classes_of, scores_of)


def above(prediction: Prediction, threshold: float) -> Prediction:
    """The prediction without objects, or pixels, below a score; of classes of images, all."""
    if isinstance(prediction, Detections):
        kept = prediction.scores >= threshold
        tracks = None if prediction.tracks is None else prediction.tracks[kept]
        return Detections(prediction.boxes[kept], prediction.scores[kept], prediction.labels[kept], tracks)
    if isinstance(prediction, ClassMap) and prediction.scores is not None:
        unsure = prediction.scores < threshold
        classes = np.where(unsure, np.uint8(NO_CLASS), prediction.classes)
        return ClassMap(classes, prediction.scores)
    return prediction
