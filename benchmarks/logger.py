"""What one ``log_scalar`` costs, beside hafnia's logger and beside the plainest logger one could write.

    python benchmarks/logger.py            # 20,000 calls each; the peer alone takes minutes
    python benchmarks/logger.py --quick    # 1,000 calls each

Prints one JSON object a line; ``ratio`` says how many times better ours is. Without ``--quick`` it exits
with 1 if ours is above 5 microseconds a call or less than 300 times as fast as the peer. The peer rewrites
its whole log at each call, so its cost grows with the square of their number and the ratio with it.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import peer_python

PEER = "hafnia==0.8.6"
MOST_US = 5.0
LEAST_RATIO = 300.0
REPEATS = 5

# Each logs the same numbers under the same names, in its own process, and prints the seconds it took.
LOOP = """
import sys, time
calls = int(sys.argv[1])
{setup}
start = time.perf_counter()
for step in range(calls):
    {call}
print("seconds", time.perf_counter() - start)
"""
OURS = LOOP.format(
    setup="from sightline.runs import RunLogger\nlogger = RunLogger('bench')",
    call="logger.log_scalar('train/loss', 1.0 / (step + 1), step)",
)
PEERS = LOOP.format(
    setup="from hafnia.experiment import HafniaLogger\nlogger = HafniaLogger('bench')",
    call="logger.log_scalar('train/loss', 1.0 / (step + 1), step)",
)
PLAIN = LOOP.format(
    setup="import json\nstream = open('metrics.jsonl', 'a')",
    call=(
        "stream.write(json.dumps({'t': time.time(), 'name': 'train/loss', 'kind': 'scalar',"
        " 'value': 1.0 / (step + 1), 'step': step}) + '\\n'); stream.flush()"
    ),
)


def measure(python: Path | str, code: str, calls: int) -> float:
    """Seconds for ``calls`` calls, in a fresh process and an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-c", code, str(calls)], cwd=folder, capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        sys.exit(f"a measured process failed:\n{done.stderr}")
    return float(done.stdout.split("seconds ")[-1])


def typical(code: str, calls: int) -> float:
    """The median of a few runs."""
    return statistics.median(measure(sys.executable, code, calls) for _ in range(REPEATS))


def report(metric: str, ours: float, peer: float, peer_name: str) -> float:
    """Print one line and return the ratio."""
    ratio = peer / ours
    line = {"metric": metric, "ours": ours, "peer": peer, "peer_name": peer_name, "ratio": round(ratio, 2)}
    print(json.dumps(line), flush=True)
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="1,000 calls instead of 20,000; holds to no bar")
    calls = 1_000 if parser.parse_args().quick else 20_000
    python = peer_python(PEER)
    ours = typical(OURS, calls)
    plain = typical(PLAIN, calls)
    us = ours / calls * 1e6
    report(
        "log_scalar_us_per_call", round(us, 3), round(plain / calls * 1e6, 3), "json.dumps + write + flush"
    )
    ratio = report(
        f"log_scalar_s_for_{calls}_calls", round(ours, 5), round(measure(python, PEERS, calls), 3), PEER
    )
    if calls == 20_000 and (us > MOST_US or ratio < LEAST_RATIO):
        print(
            f"missed: at most {MOST_US} us a call and at least {LEAST_RATIO:.0f} times the peer",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
