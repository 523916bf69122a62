"""What a training loop adds to a step, beside the loops that people use, and a bare one.

    python benchmarks/loop.py            # a quarter of an hour
    python benchmarks/loop.py --quick    # 300 steps, one round; holds to no bar

The same training everywhere: an MLP 784-64-10, batches of 16 that lie in memory, AdamW, one thread, one
scalar (the loss) logged at each step to where the loop's own logger writes (below TMPDIR). Each in a process
of its own, in turns. After every 100 steps the same process does 100 bare ones, so that both meet whatever
else the machine does; what a loop adds is the median of the differences, over nine processes, since where a
process has its memory changes its speed as well.

Prints one JSON object a line, in microseconds; ``ratio`` says how many times less ours adds. Without
``--quick`` it exits with 1 if ours adds more than 50 microseconds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import peer_python

MOST_US = 50.0
PEERS = {
    "lightning": "lightning==2.6.0",
    "fabric": "lightning==2.6.0",
    "accelerate": "accelerate==1.12.0",
    "mlfab": "mlfab==0.2.6",
}
LOOPS = Path(__file__).with_name("loop_contenders.py")


def measured(python: Path | str, name: str, steps: int) -> dict[str, float]:
    """Microseconds that a loop adds to a step, and of a bare step, in a process and folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [python, LOOPS, name, str(steps)], cwd=folder, capture_output=True, text=True, check=False
        )
    if ended.returncode:
        raise SystemExit(f"error: {name} failed:\n{ended.stderr[-3000:]}")
    return json.loads(ended.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="A smoke run.")
    arguments = parser.parse_args()
    steps, rounds = (300, 1) if arguments.quick else (1500, 9)
    pythons: dict[str, Path | str] = {"ours": sys.executable}
    pythons |= {name: peer_python(package) for name, package in PEERS.items()}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
        for name, python in pythons.items():
            found[name].append(measured(python, name, steps))
    added = {name: statistics.median(one["added"] for one in each) for name, each in found.items()}
    bare = statistics.median(one["bare"] for one in found["ours"])
    print(json.dumps({"metric": "bare_step_us", "value": round(bare, 1)}), flush=True)
    for name, package in PEERS.items():
        line = {
            "metric": "added_us_per_step",
            "ours": round(added["ours"], 1),
            "peer": round(added[name], 1),
            "peer_name": f"{name} ({package})",
            "ratio": round(added[name] / max(added["ours"], 0.1), 2),
        }
        print(json.dumps(line), flush=True)
    if not arguments.quick and added["ours"] > MOST_US:
        print(f"missed: ours adds {added['ours']:.1f} us to a step, more than {MOST_US:.0f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
