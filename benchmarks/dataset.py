"""Datasets against `hafnia`: make, write, read, export, import. 100,000 samples with 5 boxes each.

    python benchmarks/dataset.py            # takes a quarter of an hour, mostly the peer's
    python benchmarks/dataset.py --quick    # 2,000 samples, one run each; holds to no bar

Files lie in memory (/dev/shm) unless TMPDIR says otherwise: a disk that others use as well is measured with
its queue, and on both sides.

Both do the same with the same data, each operation in a process of its own: reading its input (where that is
not what is measured) before the clock starts. "From samples" is from a list of objects that exist already,
"from a stream" makes them as they are asked for. Images are small JPEG files; exports link to them, `write`
copies them. The peer cannot read COCO boxes without a segmentation, so the file that both read has
rectangles for that. Then our own reading, splitting and counting of 1,000,000 samples, against a bar.

Prints one JSON object a line: medians in seconds, and the peak memory of the process in GiB. Without
``--quick`` it exits with 1 if a bar is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from dataset_operations import ALONE, OURS
from peers import peer_python

OPERATIONS = Path(__file__).with_name("dataset_operations.py")
PEER = "hafnia==0.8.6"
#: How many times better than the peer ours has to be: in time, and where it is said in memory.
LEAST_TIMES = {
    "from_samples": 3,
    "from_columns": 20,
    "write_annotations": 3,
    "read": 2,
    "coco_export": 8,
    "coco_import": 10,
    "yolo_export": 5,
    "yolo_import": 8,
}
LEAST_MEMORY = {"from_samples": 4}
#: Seconds and GiB that ours may take alone.
MOST_SECONDS = {"read_1m": 2.0, "create_splits_1m": 0.5, "print_stats_1m": 2.0}
MOST_GIB = {"coco_import": 1.0, "read_1m": 2.5}
_ENOUGH_S = 40.0  # an operation is measured three times, or until it has taken so long


def measured(python: Path, side: str, name: str, folder: Path, count: int) -> tuple[float, float]:
    """Seconds and peak GiB of an operation, in a process of its own."""
    command = [python, OPERATIONS, side, name, folder, str(count)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"error: {name} of {side} failed:\n{ended.stderr[-2000:]}")
    seconds, gib = json.loads(ended.stdout.splitlines()[-1])
    return seconds, gib


def in_turns(
    pythons: dict[str, Path], name: str, folder: Path, count: int, runs: int
) -> list[tuple[float, float]]:
    """Median seconds and peak GiB of an operation for each side.

    In turns, so that whatever else the machine does meets both.
    """
    results: list[list[tuple[float, float]]] = []
    spent = 0.0
    while len(results) < runs and spent < _ENOUGH_S:
        results.append([measured(python, side, name, folder, count) for side, python in pythons.items()])
        spent += max(seconds for seconds, _ in results[-1])
    return [
        (statistics.median(seconds for seconds, _ in one), max(gib for _, gib in one))
        for one in zip(*results, strict=True)
    ]


def report(metric: str, ours: float, peer: float, peer_name: str, least: float) -> list[str]:
    """Print a line; the bar, as a list of one, where ours falls short of being ``least`` times better."""
    ratio = peer / ours
    line = {"metric": metric, "ours": round(ours, 4), "peer": round(peer, 4), "peer_name": peer_name}
    print(json.dumps(line | {"ratio": round(ratio, 2)}), flush=True)
    return [] if ratio >= least else [f"{metric} at least {least:g} times better than {peer_name}"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="2,000 samples, one run; holds to no bar")
    quick = parser.parse_args().quick
    count, million, runs = (2_000, 20_000, 1) if quick else (100_000, 1_000_000, 3)
    ours = {"ours": Path(sys.executable)}
    both = ours | {"theirs": peer_python(PEER)}
    missed: list[str] = []
    memory = "/dev/shm" if "TMPDIR" not in os.environ and Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="sightline-bench-", dir=memory) as temporary:
        folder = Path(temporary)
        in_turns(ours, "input", folder, count, 1)
        for name in OURS:
            (our_s, our_gib), (their_s, their_gib) = in_turns(both, name, folder, count, runs)
            missed += report(f"seconds_of_{name}", our_s, their_s, PEER, LEAST_TIMES.get(name, 0))
            missed += report(f"peak_gib_of_{name}", our_gib, their_gib, PEER, LEAST_MEMORY.get(name, 0))
            if name in MOST_GIB:
                missed += report(f"peak_gib_of_{name}", our_gib, MOST_GIB[name], "bar", 1)
        for name in ALONE:
            [(our_s, our_gib)] = in_turns(ours, name, folder, million, runs)
            if name in MOST_SECONDS:
                missed += report(f"seconds_of_{name}", our_s, MOST_SECONDS[name], "bar", 1)
            if name in MOST_GIB:
                missed += report(f"peak_gib_of_{name}", our_gib, MOST_GIB[name], "bar", 1)
    if missed and not quick:
        print(f"missed: {'; '.join(missed)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
