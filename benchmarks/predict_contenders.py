"""From image files to predictions in three ways, for predict.py: prints images a second of one of them."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

BATCH = 8
SIDES = ("top_left_x", "top_left_y", "width", "height")


def ours(folder: Path) -> tuple[int, float]:
    from sightline.deploy import open_model
    from sightline.deploy.files.run import predict_files
    from sightline.deploy.predictor import PARALLEL

    predictor = open_model(folder / "model.onnx", batch_size=BATCH, parallel=PARALLEL)
    predict_files(predictor, sorted((folder / "images").rglob("*.jpg"))[:BATCH], folder / "warm.jsonl")
    began = time.perf_counter()
    summary = predict_files(predictor, [folder / "images"], folder / "out.jsonl")
    assert not summary.problems
    return summary.images, time.perf_counter() - began


def loop(folder: Path) -> tuple[int, float]:
    from sightline.data.box_selection import BoxSelection

    model = Plain(folder)
    chosen = model.card["selection"]
    selection = BoxSelection(**chosen) if chosen else None
    paths = sorted(map(str, (folder / "images").rglob("*.jpg")))
    kept: list[Any] = []

    def run(some: list[str]) -> None:
        images = [read(path) for path in some]
        outputs = model.run(images)
        if selection is None:
            kept.extend(outputs[0].argmax(axis=1).tolist())
        else:
            kept.extend(selection.select(scores, boxes) for scores, boxes in zip(*outputs, strict=True))

    run(paths[:BATCH])
    began = time.perf_counter()
    for start in range(0, len(paths), BATCH):
        run(paths[start : start + BATCH])
    return len(paths), time.perf_counter() - began


def read(path: str) -> Any:
    image = cv2.imread(path)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def hafnia(folder: Path) -> tuple[int, float]:
    from hafnia.dataset.benchmark.benchmark import run_inference_on_dataset  # pyright: ignore
    from hafnia.dataset.benchmark.inference_model import InferenceModel  # pyright: ignore
    from hafnia.dataset.hafnia_dataset import HafniaDataset  # pyright: ignore
    from hafnia.dataset.hafnia_dataset_types import ModelInfo, TaskInfo  # pyright: ignore
    from hafnia.dataset.primitives import Bbox, Classification  # pyright: ignore

    model = Plain(folder)
    classes = model.card["classes"]
    primitive = Classification if model.card["task"] == "classification" else Bbox

    class Model(InferenceModel):
        def predict(self, image: Any, sample_dict: Any = None) -> list[Any]:  # noqa: ARG002
            return self.predict_batch([image])[0]

        def predict_batch(self, images: list[Any], sample_dicts: Any = None) -> list[list[Any]]:  # noqa: ARG002
            outputs = model.run(images)
            if primitive is Classification:
                return [[self.classification(scores)] for scores in outputs[0]]
            return [self.boxes(*one) for one in zip(*outputs, strict=True)]

        def classification(self, scores: Any) -> Any:
            best = int(scores.argmax())
            return Classification(class_name=classes[best], class_idx=best, confidence=float(scores[best]))

        def boxes(self, scores: Any, boxes: Any) -> list[Any]:
            places, labels = np.nonzero(scores > model.card["selection"]["score_threshold"])
            found = scores[places, labels]
            order = np.argsort(-found)[:1000]
            places, labels, found = places[order], labels[order], found[order]
            corners = boxes[places] / np.tile(np.array(model.size[::-1]), 2)
            sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
            kept = cv2.dnn.NMSBoxesBatched(sides.tolist(), found.tolist(), labels.tolist(), 0.0, 0.6)
            return [
                Bbox(
                    **dict(zip(SIDES, sides[index].tolist(), strict=True)),
                    class_name=classes[int(labels[index])],
                    class_idx=int(labels[index]),
                    confidence=float(found[index]),
                )
                for index in list(kept)[:100]
            ]

        def get_model_info(self) -> Any:
            task = TaskInfo.from_class_names(primitive=primitive, class_names=classes)
            return ModelInfo(name="model", tasks=[task])

    dataset = HafniaDataset.from_path(folder / "dataset")
    run_inference_on_dataset(dataset.select_samples(BATCH), Model(), batch_size=BATCH)
    began = time.perf_counter()
    run_inference_on_dataset(dataset, Model(), batch_size=BATCH)
    return len(dataset), time.perf_counter() - began


class Plain:
    """A session that takes normalised floats, and what has to be done before it."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self.card = json.loads((folder / "card.json").read_text())
        preprocessing = self.card["preprocessing"]
        self.size = preprocessing["size"]
        self._mean = np.array(preprocessing["mean"], dtype=np.float32)
        self._std = np.array(preprocessing["std"], dtype=np.float32)
        self._session: Any = onnxruntime.InferenceSession(
            folder / "plain.onnx", providers=["CPUExecutionProvider"]
        )

    def run(self, images: list[Any]) -> list[Any]:
        """What the session gives for RGB images (height, width, 3)."""
        if self.size is not None:
            wanted = (self.size[1], self.size[0])
            images = [cv2.resize(image, wanted, interpolation=cv2.INTER_LINEAR) for image in images]
        floats = [(image.astype(np.float32) / 255 - self._mean) / self._std for image in images]
        batch = np.stack([one.transpose(2, 0, 1) for one in floats])
        return self._session.run(None, {"images": batch})


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    count, seconds = {"ours": ours, "loop": loop, "hafnia": hafnia}[name](folder)
    print("images_per_second", count / seconds)


if __name__ == "__main__":
    main()
