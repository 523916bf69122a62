"""What one ``log_scalar`` costs, beside other loggers and beside the plainest logger one could write.

    python benchmarks/logger.py            # 20,000 calls each; the peer alone takes minutes
    python benchmarks/logger.py --quick    # 1,000 calls each

Prints one JSON object a line; ``ratio`` says how many times better ours is. Without ``--quick`` it exits
with 1 if ours is above 5 microseconds a call or less than 300 times as fast as hafnia's logger. That one
rewrites its whole log at each call, so its cost grows with the square of their number and the ratio with it.

What is timed is the call alone, which is what a training waits for: TensorBoard and Weights & Biases write on
a thread or a process of their own, as our sinks do. MLflow's client is synchronous.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import peer_python

HAFNIA = "hafnia==0.8.6"
MOST_US = 5.0
LEAST_RATIO = 300.0
REPEATS = 5
MOST_MLFLOW_CALLS = 1_000  # a millisecond each, whatever their number

# Each logs the same numbers under the same names, in its own process, and prints the seconds it took.
LOOP = """
import sys, time
calls = int(sys.argv[1])
{setup}
start = time.perf_counter()
for step in range(calls):
    {call}
print("seconds", time.perf_counter() - start)
{end}
"""
_CALL = "logger.log_scalar('train/loss', 1.0 / (step + 1), step)"
_SINKS = "from sightline.runs import RunLogger, sinks\n"
OURS = LOOP.format(
    setup="from sightline.runs import RunLogger\nlogger = RunLogger('bench')", call=_CALL, end=""
)
NOT_DUE = LOOP.format(
    setup="from sightline.runs import RunLogger\nlogger = RunLogger('bench')",
    call="logger.log_image('picture', None, step * 2 + 1, every='2ba')",
    end="",
)
WITH_TENSORBOARD = LOOP.format(
    setup=_SINKS + "logger = RunLogger('bench', sinks=[sinks.TensorBoard()])",
    call=_CALL,
    end="logger.close()",
)
PLAIN = LOOP.format(
    setup="import json\nstream = open('metrics.jsonl', 'a')",
    call=(
        "stream.write(json.dumps({'t': time.time(), 'name': 'train/loss', 'kind': 'scalar',"
        " 'value': 1.0 / (step + 1), 'step': step}) + '\\n'); stream.flush()"
    ),
    end="",
)
PEER_HAFNIA = LOOP.format(
    setup="from hafnia.experiment import HafniaLogger\nlogger = HafniaLogger('bench')", call=_CALL, end=""
)
PEER_TENSORBOARD = LOOP.format(
    setup="from torch.utils.tensorboard import SummaryWriter\nwriter = SummaryWriter('tensorboard')",
    call="writer.add_scalar('train/loss', 1.0 / (step + 1), step)",
    end="writer.close()",
)
PEER_WANDB = LOOP.format(
    setup="import wandb\nrun = wandb.init(mode='offline', settings={'silent': True, 'console': 'off'})",
    call="run.log({'train/loss': 1.0 / (step + 1)}, step=step)",
    end="run.finish()",
)
PEER_MLFLOW = LOOP.format(
    setup="import mlflow\nmlflow.set_tracking_uri('file:mlruns')\nmlflow.start_run()",
    call="mlflow.log_metric('train/loss', 1.0 / (step + 1), step=step)",
    end="mlflow.end_run()",
)


def measure(python: Path | str, code: str, calls: int) -> float:
    """Seconds for ``calls`` calls, in a fresh process and an empty folder."""
    quiet = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, "-c", code, str(calls)],
            cwd=folder,
            env={**os.environ, **quiet, "HOME": folder},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        sys.exit(f"a measured process failed:\n{done.stderr}")
    return float(done.stdout.split("seconds ")[-1].split()[0])


def typical(code: str, calls: int, python: Path | str = sys.executable) -> float:
    """The median of a few runs, in microseconds a call."""
    return statistics.median(measure(python, code, calls) for _ in range(REPEATS)) / calls * 1e6


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
    us = round(typical(OURS, calls), 3)
    plain = round(typical(PLAIN, calls), 3)
    report("log_scalar_us_per_call", us, plain, "json.dumps + write + flush")
    not_due = round(typical(NOT_DUE, calls), 3)
    report("log_image_not_due_us_per_call", not_due, plain, "json.dumps + write + flush")

    # In this environment: the versions that our sinks are tested with.
    tensorboard = round(typical(PEER_TENSORBOARD, calls), 3)
    report("log_scalar_us_per_call", us, tensorboard, "SummaryWriter")
    ours = round(typical(WITH_TENSORBOARD, calls), 3)
    report("log_scalar_with_tensorboard_us_per_call", ours, tensorboard, "SummaryWriter")
    wandb = round(typical(PEER_WANDB, calls, peer_python("wandb==0.31.0")), 1)
    report("log_scalar_us_per_call", us, wandb, "wandb offline")
    few = min(calls, MOST_MLFLOW_CALLS)
    mlflow = round(typical(PEER_MLFLOW, few, peer_python("mlflow-skinny==3.17.2")), 1)
    report("log_scalar_us_per_call", us, mlflow, "MLflow, file store")

    hafnia = measure(peer_python(HAFNIA), PEER_HAFNIA, calls)
    seconds = round(us * calls / 1e6, 5)
    ratio = report(f"log_scalar_s_for_{calls}_calls", seconds, round(hafnia, 3), HAFNIA)
    if calls == 20_000 and (us > MOST_US or ratio < LEAST_RATIO):
        print(
            f"missed: at most {MOST_US} us a call and at least {LEAST_RATIO:.0f} times the peer",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
