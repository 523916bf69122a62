"""Accuracy on CIFAR-10 after a few minutes on this machine, against ResNet-18 in a plain loop for as long.

    python benchmarks/cifar10.py FOLDER               # a dataset folder of CIFAR-10; ten minutes and more
    python benchmarks/cifar10.py FOLDER --quick       # seconds; holds to no bar

Ours is what ``sightline train examples/cifar10.yaml`` does, from its first second to its last. The peer is
torchvision's ResNet-18, its weights random, in a plain loop: SGD with momentum, flips and shifted crops, a
rate that falls along a cosine over the time. Both are tested once, at the end, on the same images; the time
that the peer's test takes is not counted. Prints one JSON object a line; exits with 1 if a bar is missed.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torchvision
from torch.nn import functional as F
from torchvision.transforms import v2

from sightline.data import Dataset
from sightline.data.loading import Loader, Normalize, TorchDataset

SPEC = Path(__file__).resolve().parents[1] / "examples" / "cifar10.yaml"
MINUTES = 5.0
LEAST_ACCURACY, LEAST_AHEAD = 0.75, 0.05
_MEAN, _STD = (0.491, 0.482, 0.447), (0.247, 0.243, 0.262)


def ours(folder: Path, overrides: list[str]) -> tuple[float, float]:
    """Test accuracy, and the seconds that the training took (with reading, building and saving)."""
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as temporary:
        run = Path(temporary) / "run"
        words = ["-m", "sightline.cli.main", "train", SPEC, f"task.data.dataset={folder}", *overrides]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, *words, "--folder", run, "--quiet", "--no-report"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - started
        lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        return next(line["value"] for line in lines if line.get("name") == "test/accuracy"), seconds


def plain_resnet18(folder: Path, seconds: float) -> float:
    """Test accuracy after training for that long."""
    torch.manual_seed(0)
    dataset = Dataset.from_path(folder)
    augment = v2.Compose([v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()])
    train = TorchDataset(dataset.create_split_dataset("train"), augment, storage="ram", progress=False)
    test = TorchDataset(dataset.create_split_dataset("test"), storage="ram", progress=False)
    normalize = Normalize(_MEAN, _STD)
    model = torchvision.models.resnet18(num_classes=len(train.class_names))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    started = time.perf_counter()
    loader = Loader(train, 128, shuffle=True, last="drop", normalize=normalize)
    while (share := (time.perf_counter() - started) / seconds) < 1:
        model.train()
        for images, targets in loader:
            for group in optimizer.param_groups:
                group["lr"] = 0.1 * (1 + math.cos(math.pi * min(1.0, share))) / 2
            optimizer.zero_grad()
            F.cross_entropy(model(images), targets["label"]).backward()
            optimizer.step()
            share = (time.perf_counter() - started) / seconds
            if share >= 1:
                break
    model.eval()
    with torch.inference_mode():
        right = [
            (model(images).argmax(1) == targets["label"]).float()
            for images, targets in Loader(test, 250, normalize=normalize)
        ]
    return float(torch.cat(right).mean())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", help="CIFAR-10 as a dataset folder, with its splits")
    parser.add_argument("--quick", action="store_true", help="one epoch; holds to no bar")
    arguments = parser.parse_args()
    if arguments.folder is None:
        print("skipped: needs CIFAR-10 as a dataset folder; give its path", file=sys.stderr)
        return 0
    folder = arguments.folder.resolve()
    accuracy, seconds = ours(folder, ["trainer.max_duration=1ep"] if arguments.quick else [])
    limit = seconds if arguments.quick else MINUTES * 60
    peer = plain_resnet18(folder, limit)
    line = {"metric": "cifar10_test_accuracy", "ours": accuracy, "peer": round(peer, 4)}
    print(json.dumps(line | {"peer_name": "resnet18-plain-loop", "ratio": round(accuracy / peer, 3)}))
    print(json.dumps({"metric": "cifar10_training_s", "ours": round(seconds, 1), "peer": round(limit, 1),
                      "peer_name": "limit", "ratio": round(limit / seconds, 3)}))  # fmt: skip
    missed = []
    if accuracy < LEAST_ACCURACY:
        missed.append(f"accuracy at least {LEAST_ACCURACY}")
    if accuracy < peer + LEAST_AHEAD:
        missed.append(f"accuracy at least {LEAST_AHEAD} above ResNet-18's")
    if seconds > limit:
        missed.append(f"{limit:g} s")
    if missed and not arguments.quick:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
