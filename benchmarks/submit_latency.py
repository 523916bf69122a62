"""From `experiment create` to the first line of the job's own output, environment ready.

Peer: `ray job submit` to a running local Ray cluster with the same script. Ray starts the job in a process
on the same machine without a sandbox, so it does less; both are measured from the start of the command line
to the moment the script's first line is printed by it.

    python benchmarks/submit_latency.py [--quick]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from peers import peer_python

from sightline.client import ServiceClient
from sightline.client.wire import Role, UserCreate
from sightline.data import Dataset
from sightline.demo.digits import write_digits
from sightline.demo.service_process import ServiceProcess

HELLO = "print('hello from the job', flush=True)\n"


def seconds_to_hello(command: list[str], environment: dict[str, str], folder: Path) -> float:
    """Run a command and return when the job's line appeared, in seconds from the start."""
    started = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if "hello from the job" in line:
                seconds = time.perf_counter() - started
                process.stdout.read()
                return seconds
    raise SystemExit(f"error: {command[0]} never printed the job's line; it said:\n{said}")


def measure_ours(folder: Path, repeats: int) -> list[float]:
    write_digits(folder / "images")
    Dataset.from_image_folder(folder / "images", name="digits").write(folder / "digits")
    package = folder / "package"
    (package / "scripts").mkdir(parents=True)
    (package / "Dockerfile").write_text("FROM python:3.11-slim\n")
    (package / "scripts" / "hello.py").write_text(HELLO)
    service = ServiceProcess(folder / "service")
    try:
        with ServiceClient(service.url, service.admin_key) as admin:
            key = admin.create_user(UserCreate(name="someone", role=Role.OWNER)).api_key
        environment = {**os.environ, "SIGHTLINE_URL": service.url, "SIGHTLINE_API_KEY": key}
        sightline = [str(Path(sys.executable).with_name("sightline"))]
        publish = [*sightline, "dataset", "publish", str(folder / "digits"), "--sample", "60"]
        subprocess.run(publish, env=environment, cwd=folder, check=True, capture_output=True)
        create = [*sightline, "experiment", "create", "--dataset", "digits", "--trainer-path", str(package)]
        create += ["--cmd", "python scripts/hello.py", "--follow"]
        seconds_to_hello(create, environment, folder)  # stages the dataset once
        return [seconds_to_hello(create, environment, folder) for _ in range(repeats)]
    finally:
        service.stop()


def measure_ray(folder: Path, repeats: int) -> list[float]:
    ray = peer_python("ray[default]==2.60.0").with_name("ray")
    script = folder / "hello.py"
    script.write_text(HELLO)
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": str(folder)}
    start = [str(ray), "start", "--head", "--include-dashboard=true", "--dashboard-host=127.0.0.1"]
    subprocess.run(
        [*start, "--node-ip-address=127.0.0.1", "--disable-usage-stats"],
        env=environment,
        check=True,
        capture_output=True,
    )
    try:
        submit = [str(ray), "job", "submit", "--address", "http://127.0.0.1:8265", "--"]
        submit += [sys.executable, str(script)]
        seconds_to_hello(submit, environment, folder)
        return [seconds_to_hello(submit, environment, folder) for _ in range(repeats)]
    finally:
        subprocess.run([str(ray), "stop", "--force"], env=environment, capture_output=True, check=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two repeats instead of seven")
    repeats = 2 if parser.parse_args().quick else 7
    with tempfile.TemporaryDirectory(prefix="sl-") as name:
        folder = Path(name)
        (folder / "ours").mkdir()
        (folder / "ray").mkdir()
        ours = statistics.median(measure_ours(folder / "ours", repeats))
        peer = statistics.median(measure_ray(folder / "ray", repeats))
    print(
        json.dumps(
            {
                "metric": "seconds from submit to the job's first line",
                "ours": round(ours, 3),
                "peer": round(peer, 3),
                "peer_name": "ray job submit",
                "ratio": round(peer / ours, 2),
            }
        )
    )


if __name__ == "__main__":
    main()
