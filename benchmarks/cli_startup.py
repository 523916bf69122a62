"""How long `sightline --help` takes, beside `hafnia --help`.

    python benchmarks/cli_startup.py            # 20 runs each, in turns
    python benchmarks/cli_startup.py --quick    # 3 runs each

Prints one JSON object a line, medians in seconds; ``ratio`` says how many times faster ours is. Without
``--quick`` it exits with 1 if ours is less than twice as fast. The peer's own floor, the start of a bare
Python, is in both figures.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from peers import peer_python

PEER = "hafnia==0.8.6"
LEAST_RATIO = 2.0
#: Both groups of commands have these two, so the second level is compared as well.
ARGUMENTS = (["--help"], ["dataset", "--help"])


def seconds(command: Sequence[str | Path]) -> float:
    """Wall time of one run of ``command``, which must succeed."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 20; holds to no bar")
    quick = parser.parse_args().quick
    ours = Path(sys.executable).parent / "sightline"
    peer = peer_python(PEER).parent / "hafnia"
    missed = False
    for words in ARGUMENTS:
        programs = ([ours, *words], [peer, *words])
        for command in programs:
            seconds(command)  # byte code and the file cache
        # In turns, so that whatever else the machine does meets both.
        runs = [[seconds(command) for command in programs] for _ in range(3 if quick else 20)]
        ours_s, peer_s = (statistics.median(times) for times in zip(*runs, strict=True))
        ratio = peer_s / ours_s
        line = {
            "metric": f"seconds_of_{'_'.join(words).replace('-', '')}",
            "ours": round(ours_s, 4),
            "peer": round(peer_s, 4),
            "peer_name": PEER,
            "ratio": round(ratio, 2),
        }
        print(json.dumps(line), flush=True)
        missed |= words == ["--help"] and ratio < LEAST_RATIO
    if missed and not quick:
        print(f"missed: at least {LEAST_RATIO:g} times as fast as the peer", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
