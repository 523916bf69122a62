"""Images a second from files to predictions, beside a plain ONNX Runtime loop, and `hafnia`'s runner.

    python benchmarks/predict.py            # some minutes: 7 rounds of each in turns
    python benchmarks/predict.py --quick    # 1 round over fewer images; holds to no bar

A classifier of CIFAR-10 (32x32) and a detector of photographs of 640x480, both exported to ONNX with
untrained weights, on all cores. "ours" is what `sightline predict MODEL FOLDER -o out.jsonl` does once it
has started: JPEG files are read and fitted while the model computes, two batches of 8 at once, and every
prediction is written. "loop" is what one writes by hand: read a batch by OpenCV, resize it, normalise it by
NumPy, run the session, and keep what it gives; for the detector with the same selection of boxes. "hafnia"
is its `run_inference_on_dataset`: its own reading, a session as in the loop, and predictions made into its
primitives. Each runs in a process of its own, in turns.

Prints one JSON object a line: medians of images a second; ``ratio`` says how many times as many ours are.
Without ``--quick`` it exits with 1 where ours is less than 0.95 times as fast as the loop.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import torch
from peers import peer_python

from sightline.data import Dataset
from sightline.deploy.card import ModelCard
from sightline.deploy.export import export_module
from sightline.models import classifier, detector

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
CONTENDERS = Path(__file__).with_name("predict_contenders.py")
HAFNIA = ("hafnia==0.8.6", "onnxruntime")
LEAST_OF_LOOP = 0.95
SETTINGS = ("classifier", "detector")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="A smoke run.")
    quick = parser.parse_args().quick
    pythons: dict[str, Path | str] = {"ours": sys.executable, "loop": sys.executable}
    pythons["hafnia"] = peer_python(*HAFNIA)
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        prepare(data, quick)
        for setting in SETTINGS:
            rates: dict[str, list[float]] = {name: [] for name in pythons}
            for _ in range(1 if quick else 7):
                for name, python in pythons.items():
                    rates[name].append(measured(python, name, data / setting))
            missed |= report(setting, {name: statistics.median(values) for name, values in rates.items()})
    return 1 if missed and not quick else 0


def measured(python: Path | str, name: str, folder: Path) -> float:
    """Images a second of a contender."""
    ended = subprocess.run([python, CONTENDERS, name, folder], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"error: {name} failed:\n{ended.stderr[-3000:]}")
    return float(ended.stdout.split("images_per_second ")[-1])


def report(setting: str, rates: dict[str, float]) -> bool:
    """Print the ratios; whether ours misses its bar."""
    titles = {"loop": "ONNX Runtime and OpenCV in a loop", "hafnia": "hafnia 0.8.6 run_inference_on_dataset"}
    for name, title in titles.items():
        line = {
            "metric": f"images_per_second_{setting}",
            "ours": round(rates["ours"], 1),
            "peer": round(rates[name], 1),
            "peer_name": title,
            "ratio": round(rates["ours"] / rates[name], 2),
        }
        print(json.dumps(line), flush=True)
    if rates["ours"] >= LEAST_OF_LOOP * rates["loop"]:
        return False
    print(f"missed: {setting} is to be {LEAST_OF_LOOP:g} times as fast as the loop", file=sys.stderr)
    return True


def prepare(data: Path, quick: bool) -> None:
    """For each setting two models, a folder of images, and the same as a dataset folder."""
    torch.manual_seed(0)
    model = classifier("small_resnet", classes=10)
    export(model, make_card("classification", 10, {}), data / "classifier", (32, 32))
    with zipfile.ZipFile(SHARED_DATA / "cifar10" / "cifar10-6k.zip") as archive:
        files = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for number, name in enumerate(files[:: 20 if quick else 1]):
            copy(data / "classifier" / "images" / "all" / f"{number:05}.jpg", archive.read(name))
    size = (320, 416)
    model = detector("light", classes=3, selection={"score_threshold": 0.01})  # or there would be none
    card = make_card("detection", 3, {"size": list(size)}, selection=model.selection.model_dump())
    export(model, card, data / "detector", size)
    photos = sorted((SHARED_DATA / "bccd" / "JPEGImages").glob("*.jpg"))[: 32 if quick else None]
    for photo in photos:
        copy(data / "detector" / "images" / "all" / photo.name, photo.read_bytes())
    for setting in SETTINGS:
        dataset = Dataset.from_image_folder(data / setting / "images", name=setting)
        dataset.write(data / setting / "dataset", progress=False)


def make_card(task: str, classes: int, preprocessing: dict[str, Any], **values: Any) -> ModelCard:
    names = [f"class {number}" for number in range(classes)]
    whole = {"name": task, "task": task, "classes": names, "preprocessing": preprocessing, "input": {}}
    return ModelCard(**whole, **values)


def export(model: torch.nn.Module, card: ModelCard, folder: Path, size: tuple[int, int]) -> None:
    """Ours, and one that takes normalised floats."""
    folder.mkdir()
    export_module(model.eval(), card, folder / "model.onnx", size=size)
    (folder / "card.json").write_text(card.to_text())
    identity = {"scale": 1, "mean": [0.0] * 3, "std": [1.0] * 3}
    plain = card.model_dump() | {
        "preprocessing": card.preprocessing.model_dump() | identity,
        "input": {"type": "float32"},
    }
    export_module(model, ModelCard(**plain), folder / "plain.onnx", size=size)


def copy(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
