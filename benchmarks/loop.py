"""What a training loop adds to a step, beside the loops that people use, and a bare one.

    python benchmarks/loop.py            # some minutes
    python benchmarks/loop.py --quick    # 300 steps, one round; holds to no bar

The same training everywhere: an MLP 784-64-10, batches of 16 that lie in memory, AdamW, one thread, one
scalar (the loss) logged at each step to where the loop's own logger writes (below TMPDIR). Each in a process
of its own, in turns; what a loop adds is the median over rounds of its time per step less that of the bare
loop.

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


def measured(python: Path | str, name: str, steps: int) -> float:
    """Microseconds per step of a loop, in a process and an empty folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            [python, LOOPS, name, str(steps)], cwd=folder, capture_output=True, text=True, check=False
        )
    if ended.returncode:
        raise SystemExit(f"error: {name} failed:\n{ended.stderr[-3000:]}")
    return float(ended.stdout.split("microseconds ")[-1])


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="A smoke run.")
    arguments = parser.parse_args()
    steps, rounds = (300, 1) if arguments.quick else (4000, 7)
    pythons: dict[str, Path | str] = {"bare": sys.executable, "ours": sys.executable}
    pythons |= {name: peer_python(package) for name, package in PEERS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in pythons}
    for _ in range(rounds):
        for name, python in pythons.items():
            seconds[name].append(measured(python, name, steps))
    bare = statistics.median(seconds["bare"])
    added = {name: statistics.median(values) - bare for name, values in seconds.items()}
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
