import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sightline.client import ServiceClient, ServiceError
from sightline.client.errors import ServiceUnreachableError
from sightline.errors import SightlineError
from tests.client.flaky_server import Download, FlakyServer, Handler

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SAMPLE = "/datasets/digits/sample"


def fetch(client: ServiceClient, target: Path) -> str:
    return client.download_sample("digits", None, target)


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "target")


def test_a_whole_download(flaky: FlakyServer, client: ServiceClient, tmp_path: Path) -> None:
    flaky.routes[SAMPLE] = Download(CONTENT)
    seen: list[tuple[int, int]] = []
    digest = client.download_sample(
        "digits", "1.0.0", tmp_path / "deep" / "target", lambda done, total: seen.append((done, total))
    )
    assert (tmp_path / "deep" / "target").read_bytes() == CONTENT
    assert digest == hashlib.sha256(CONTENT).hexdigest()
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert flaky.seen[0].path.endswith("?version=1.0.0")
    assert leftovers(tmp_path / "deep") == []


def test_broken_connections_are_gone_on_with(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    download = flaky.routes[SAMPLE] = Download(CONTENT, breaks=3, break_after=300_000)
    fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert download.served == len(CONTENT)  # no byte twice
    assert leftovers(tmp_path) == []


def test_a_later_call_goes_on_where_an_earlier_one_gave_up(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    dying = Download(CONTENT, breaks=1, break_after=700_000)

    def once(handler: Handler) -> None:
        flaky.routes[SAMPLE] = lambda handler: handler.answer_json(410, {"detail": "gone"})
        dying(handler)

    flaky.routes[SAMPLE] = once
    with pytest.raises(ServiceError, match="gone"):
        fetch(client, tmp_path / "target")
    assert (tmp_path / "target.part").stat().st_size == 700_000

    download = flaky.routes[SAMPLE] = Download(CONTENT)
    fetch(client, tmp_path / "target")
    assert download.served == len(CONTENT) - 700_000
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert leftovers(tmp_path) == []


def test_patience_ends_when_nothing_comes(flaky: FlakyServer, tmp_path: Path) -> None:
    flaky.routes[SAMPLE] = Download(CONTENT, breaks=1000, break_after=0)
    with ServiceClient(flaky.url, "key", patience_s=0.5) as client, pytest.raises(ServiceUnreachableError):
        fetch(client, tmp_path / "target")
    assert leftovers(tmp_path) == []  # nothing came, so nothing is left


def test_a_killed_process_loses_nothing(flaky: FlakyServer, client: ServiceClient, tmp_path: Path) -> None:
    started = threading.Event()

    def slow(handler) -> None:
        download = Download(CONTENT)
        handler.send_response(200)
        handler.send_header("ETag", download.tag)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:600_000])
        started.set()
        time.sleep(30)

    flaky.routes[SAMPLE] = slow
    code = (
        "import sys; from pathlib import Path; from sightline.client import ServiceClient\n"
        "ServiceClient(sys.argv[1], 'key').download_sample('digits', None, Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, flaky.url, str(tmp_path / "target")])
    part = tmp_path / "target.part"
    assert started.wait(20)
    deadline = time.monotonic() + 10
    while not (part.exists() and part.stat().st_size > 500_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    there = part.stat().st_size
    assert there > 500_000

    download = flaky.routes[SAMPLE] = Download(CONTENT)
    fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert download.served == len(CONTENT) - there
    assert leftovers(tmp_path) == []


def test_a_file_that_changed_in_between_is_fetched_afresh(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    old, new = Download(CONTENT, breaks=1, break_after=500_000), Download(CONTENT[::-1])

    def first_old_then_new(handler) -> None:
        flaky.routes[SAMPLE] = new
        old(handler)

    flaky.routes[SAMPLE] = first_old_then_new
    fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT[::-1]
    assert flaky.seen[1].headers["If-Range"] == old.tag


def test_a_complete_part_is_checked_with_the_service(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    download = flaky.routes[SAMPLE] = Download(CONTENT)
    (tmp_path / "target.part").write_bytes(CONTENT)
    (tmp_path / "target.part.json").write_text(json.dumps({"etag": download.tag, "size": len(CONTENT)}))
    fetch(client, tmp_path / "target")
    assert download.served == 1
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_a_part_of_unknown_origin_is_not_trusted(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    flaky.routes[SAMPLE] = Download(CONTENT)
    (tmp_path / "target.part").write_bytes(b"something else" * 100_000)
    fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_damaged_bytes_never_become_the_file(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    download = flaky.routes[SAMPLE] = Download(CONTENT)
    download.lie_about_hash = True
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(ServiceError, match="damaged twice"):
        fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_an_error_answer_leaves_nothing(flaky: FlakyServer, client: ServiceClient, tmp_path: Path) -> None:
    flaky.routes[SAMPLE] = lambda handler: handler.answer_json(404, {"detail": "no dataset 'digits'"})
    with pytest.raises(ServiceError, match="no dataset 'digits'"):
        fetch(client, tmp_path / "target")
    assert leftovers(tmp_path) == []


def test_two_processes_never_write_into_one_part(
    flaky: FlakyServer, client: ServiceClient, tmp_path: Path
) -> None:
    flaky.routes[SAMPLE] = Download(CONTENT)
    with (tmp_path / "target.part").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(SightlineError, match="another process is downloading"):
            fetch(client, tmp_path / "target")


def test_an_empty_file(flaky: FlakyServer, client: ServiceClient, tmp_path: Path) -> None:
    flaky.routes[SAMPLE] = Download(b"")
    fetch(client, tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b""
    assert leftovers(tmp_path) == []
