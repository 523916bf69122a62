"""COCO's average precision of 20,000 images with 100,000 objects and 100,000 predictions, beside peers.

    python benchmarks/map.py            # takes some minutes, mostly the peers'
    python benchmarks/map.py --quick    # 1,000 images, one run each; holds to no bar of time

Three ways to the same numbers, each beside who goes the same way: predictions in a dataset beside its ground
truth (`hafnia`), boxes as columns or lists (pycocotools, faster-coco-eval), and batches of tensors
(torchmetrics). Each run is a process of its own, whose clock starts when its input is there, in turns, so
that whatever else the machine does meets all.

Prints one JSON object a line: medians in seconds, and the peak memory of the process in GiB. Exits with 1
where one of COCO's twelve numbers differs from pycocotools' by more than 1e-6, and, without ``--quick``,
where ours is not as many times faster than a peer as it has to be.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from map_contenders import make_boxes
from peers import peer_python

CONTENDERS = Path(__file__).with_name("map_contenders.py")
PEER_PACKAGE = "hafnia==0.8.6"
#: Ours, and the peers that go the same way.
WAYS = {
    "our_dataset": ("hafnia",),
    "our_arrays": ("pycocotools", "faster_coco_eval"),
    "our_metric": ("torchmetrics",),
}
TITLES = {
    "hafnia": PEER_PACKAGE,
    "pycocotools": "pycocotools",
    "faster_coco_eval": "faster-coco-eval",
    "torchmetrics": "torchmetrics MeanAveragePrecision",
}
#: How many times faster than a peer ours has to be.
LEAST_TIMES = {"hafnia": 5.0, "pycocotools": 5.0, "faster_coco_eval": 2.0, "torchmetrics": 2.0}
MOST_DIFFERENT = 1e-6
_ENOUGH_S = 60.0  # a contender is measured three times, or until the slowest has taken so long

Run = tuple[float, float, dict[str, float]]


def run(contender: str, file: Path) -> Run:
    """Seconds, peak GiB and COCO's numbers of a contender, in a process of its own."""
    python = peer_python(PEER_PACKAGE) if contender == "hafnia" else sys.executable
    ended = subprocess.run([python, CONTENDERS, contender, file], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"error: {contender} failed:\n{ended.stderr[-2000:]}")
    seconds, gib, numbers = json.loads(ended.stdout.splitlines()[-1])
    return seconds, gib, numbers


def in_turns(contenders: list[str], file: Path, rounds: int) -> dict[str, Run]:
    """Of each contender the median of seconds, the peak memory, and its numbers."""
    results: list[list[Run]] = []
    spent = 0.0
    while len(results) < rounds and spent < _ENOUGH_S:
        results.append([run(name, file) for name in contenders])
        spent += max(seconds for seconds, _, _ in results[-1])
    return {
        name: (statistics.median(one[0] for one in runs), max(one[1] for one in runs), runs[0][2])
        for name, runs in zip(contenders, zip(*results, strict=True), strict=True)
    }


def report(metric: str, ours: float, peer: float, title: str) -> float:
    """Print a line; how many times better ours is."""
    ratio = peer / ours
    line = {"metric": metric, "ours": round(ours, 4), "peer": round(peer, 4), "peer_name": title}
    print(json.dumps(line | {"ratio": round(ratio, 2)}), flush=True)
    return ratio


def difference(numbers: dict[str, float], reference: dict[str, float]) -> float:
    """The largest one of COCO's twelve numbers."""
    return max(abs(numbers[name] - value) for name, value in reference.items())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 images, one run; holds to no bar of time")
    quick = parser.parse_args().quick
    missed: list[str] = []
    numbers: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="sightline-bench-") as temporary:
        file = Path(temporary) / "boxes.npz"
        make_boxes(file, 1_000 if quick else 20_000)
        for ours, peers in WAYS.items():
            runs = in_turns([ours, *peers], file, 1 if quick else 3)
            numbers |= {name: result[2] for name, result in runs.items()}
            for peer in peers:
                title = TITLES[peer]
                ratio = report(f"seconds_of_{ours}", runs[ours][0], runs[peer][0], title)
                report(f"peak_gib_of_{ours}", runs[ours][1], runs[peer][1], title)
                if ratio < LEAST_TIMES[peer] and not quick:
                    missed.append(f"{ours} is to be {LEAST_TIMES[peer]:g} times as fast as {title}")
    for ours, peers in WAYS.items():
        worst, *theirs = (difference(numbers[name], numbers["pycocotools"]) for name in (ours, *peers))
        for peer, their_worst in zip(peers, theirs, strict=True):
            line = {"metric": f"difference_of_{ours}_from_pycocotools", "ours": worst, "peer": their_worst}
            print(json.dumps(line | {"peer_name": TITLES[peer], "ratio": None}), flush=True)
        if worst > MOST_DIFFERENT:
            missed.append(f"{ours} differs from pycocotools by {worst:g}")
    if missed:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
