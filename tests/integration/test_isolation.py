"""What a job can reach, asked by real jobs."""

import json
import subprocess
import textwrap
import time
from pathlib import Path

from tests.integration.conftest import World, write_package

ATTEMPTS = textwrap.dedent("""
    import json, os, pathlib, socket

    def attempt(action):
        try:
            action()
        except OSError as error:
            return f"refused: {error}"
        return "allowed"

    def tcp(host, port):
        socket.create_connection((host, port), timeout=3).close()

    dataset = pathlib.Path(os.environ["SIGHTLINE_DATASET_DIR"])
    results = {
        "tcp": attempt(lambda: tcp("192.0.2.1", 80)),
        "service": attempt(lambda: tcp("127.0.0.1", PORT)),
        "dns": attempt(lambda: socket.getaddrinfo("example.org", 443)),
        "new file": attempt(lambda: (dataset / "new").write_text("x")),
        "change": attempt(lambda: (dataset / "dataset_info.json").open("a").write("x")),
        "delete": attempt(lambda: (dataset / "dataset_info.json").unlink()),
        "mode": attempt(lambda: (dataset / "dataset_info.json").chmod(0o777)),
    }
    out = pathlib.Path(os.environ["SIGHTLINE_ARTIFACT_DIR"])
    (out / "results.json").write_text(json.dumps(results))
    (out / "environment.json").write_text(json.dumps(dict(os.environ)))
    (out / "images.txt").write_text(str(len(list((dataset / "data").rglob("*.png")))))
""")

ESCAPE = textwrap.dedent("""
    import os, sys, time
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(300)", sys.argv[1]])
        os._exit(0)
    time.sleep(0.5)
    print("left one behind")
""")


def test_a_job_sees_the_hidden_data_and_nothing_else(world: World, tmp_path: Path) -> None:
    port = world.service.url.rsplit(":", 1)[1]
    package = write_package(tmp_path / "package", attempts=ATTEMPTS.replace("PORT", port))
    world.developer.does(
        "experiment", "create", "--name", "attempts", "--dataset", "digits", "--trainer-path", str(package),
        "--cmd", "python scripts/attempts.py", "--follow",
    )  # fmt: skip
    world.developer.does("experiment", "download", "attempts", "--destination", "attempts")
    data = world.developer.home / "attempts" / "data"
    results = json.loads((data / "results.json").read_text())
    assert {name for name, result in results.items() if not result.startswith("refused")} == set()
    assert (data / "images.txt").read_text() == "1797"
    environment = (data / "environment.json").read_text()
    assert "SIGHTLINE_API_KEY" not in environment
    assert world.service.admin_key not in environment
    assert str(world.service.log.parent) not in environment


def test_no_process_of_a_job_outlives_it(world: World, tmp_path: Path) -> None:
    package = write_package(tmp_path / "package", escape=ESCAPE)
    marker = f"marker-{time.time_ns()}"
    output = world.developer.does(
        "experiment", "create", "--name", "escape", "--dataset", "digits", "--trainer-path", str(package),
        "--cmd", f"python scripts/escape.py {marker}", "--follow",
    )  # fmt: skip
    assert "left one behind" in output
    running = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    survivors = [line for line in running.splitlines() if marker in line and "sleep(300)" in line]
    assert survivors == []
