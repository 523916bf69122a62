import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.files import sha256_file
from tests.cli.conftest import Person


def test_publish_shows_what_others_can_get(owner: Person, published: str) -> None:
    info = owner.ok("dataset", "info", published).out
    assert "title      Squares" in info
    assert "12 items" in info
    assert "2 classes: dark, light" in info
    listed = owner.ok("dataset", "ls", "--search", "square").out.splitlines()
    assert listed[0].split() == ["name", "version", "sample", "hidden", "owner", "title"]
    assert "4 items" in listed[1]
    assert "12 items" in listed[1]
    assert owner.ok("dataset", "ls", "--search", "nothing", "--json").json == []


def test_publishing_again_changes_nothing_and_another_policy_is_refused(
    owner: Person, squares: Path, published: str
) -> None:
    before = owner.ok("dataset", "info", published, "--json").json["dataset_variants"]
    again = owner("dataset", "publish", squares, "--sample", "4")
    assert again.code == 0 or "1.0.0" in again.err
    assert owner.ok("dataset", "info", published, "--json").json["dataset_variants"] == before
    other = owner("dataset", "publish", squares, "--sample", "4", "--release", "auto")
    assert other.code == 1
    assert "'squares' is published already, with release rule 'owner'" in other.err


def test_a_sample_of_ones_own(owner: Person, squares: Path) -> None:
    Dataset.from_path(squares).create_split_dataset("test").write(owner.home / "own-sample")
    result = owner.ok(
        *("dataset", "publish", squares, "--name", "own", "--sample-path", owner.home / "own-sample"),
        *("--release", "auto", "--allow-process-sandbox", "--json"),
    )
    sizes = {v["variant_type"]: v["number_of_data_items"] for v in result.json["dataset_variants"]}
    assert sizes == {"sample": 4, "hidden": 12}
    assert result.json["policy"]["release"] == "auto"
    assert result.json["policy"]["allow_process_sandbox"] is True
    assert "own" in owner.ok("dataset", "delete", "own", "--yes").out
    assert owner("dataset", "info", "own").code == 1


def test_download(developer: Person, published: str) -> None:
    result = developer.ok("dataset", "download", published)
    folder = developer.home / ".data" / "datasets" / published
    assert f".data/datasets/{published}: the sample of 'squares', version 1.0.0, 4 items" in result.out
    assert len(Dataset.from_path(folder)) == 4
    assert [path.name for path in folder.parent.iterdir()] == [published]  # no archive, no part
    assert "is there already" in developer.ok("dataset", "download", published, "--version", "1.0.0").out
    (folder / "dataset_info.json").write_text("{}")
    developer.ok("dataset", "download", published, "--force")
    assert len(Dataset.from_path(folder)) == 4


def test_download_elsewhere(developer: Person, published: str) -> None:
    developer.ok("dataset", "download", published, "--destination", "deep/er", "-v", "1.0.0")
    assert len(Dataset.from_path(developer.home / "deep" / "er")) == 4
    (developer.home / "mine").mkdir()
    (developer.home / "mine" / "thesis.txt").write_text("all I have")
    refused = developer("dataset", "download", published, "-d", "mine", "--force")
    assert refused.code == 1
    assert "mine: is not a dataset folder, so it is not overwritten; choose another" in refused.err
    assert (developer.home / "mine" / "thesis.txt").read_text() == "all I have"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["download", "mnist"], "Dataset 'mnist' is unknown"),
        (["download", "squares", "--version", "9.9.9", "--force"], "9.9.9"),
        (["info", "mnist"], "Dataset 'mnist' is unknown"),
        (["publish", "/nowhere"], "/nowhere"),
        (["delete", "squares", "--yes"], "squares"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    developer: Person, published: str, words: list[str], message: str
) -> None:
    result = developer("dataset", *words)
    assert result.code == 1
    assert message in result.err
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1


def test_a_sample_that_would_make_all_public_is_refused(owner: Person, squares: Path) -> None:
    result = owner("dataset", "publish", squares, "--name", "given-away", "--sample", "5000")
    assert result.code == 1
    assert "would make all of it public" in result.err
    assert "given-away" not in owner.ok("dataset", "ls").out


def test_deleting_with_nobody_to_ask_needs_yes(owner: Person, published: str) -> None:
    result = owner("dataset", "delete", published)
    assert result.code == 1
    assert "--yes" in result.err
    assert owner.ok("dataset", "info", published)


def test_a_developer_cannot_publish(developer: Person, squares: Path) -> None:
    result = developer("dataset", "publish", squares, "--sample", "4", "--name", "mine")
    assert result.code == 1
    assert "owner" in result.err


def test_a_killed_publish_is_gone_on_with(owner: Person, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for index in range(20):
        (tmp_path / "images" / "train" / "noise").mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (400, 400, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / "train" / "noise" / f"{index}.png")
    Dataset.from_image_folder(tmp_path / "images", name="noise").write(tmp_path / "noise")
    code = (
        "import sys, time\n"
        "from sightline.client import resumable_upload as u\n"
        "u.CHUNK_BYTES = 1 << 20\n"
        "send = u._send_chunk\n"
        "def slow(*a):\n    r = send(*a); print(r.offset, flush=True); time.sleep(0.2); return r\n"
        "u._send_chunk = slow\n"
        "from sightline.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["dataset", "publish", str(tmp_path / "noise"), "--sample", "1"]
    environment = {**os.environ, **owner.environment()}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    for _ in range(3):
        process.stdout.readline()
    process.kill()
    process.communicate()
    process = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True, check=True
    )
    assert int(process.stdout.split()[0]) > 3 << 20  # the first three chunks were not sent again
    assert "20 items" in owner.ok("dataset", "info", "noise").out


def test_ctrl_c_leaves_a_download_to_be_gone_on_with(
    developer: Person, owner: Person, published: str, tmp_path: Path
) -> None:
    code = (
        "import sys, time\n"
        "from sightline.client import resumable_download as d\n"
        "d.sha256_file = lambda path: (print('there', flush=True), time.sleep(60))\n"
        "from sightline.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["dataset", "download", published, "--destination", str(tmp_path / "squares")]
    environment = {**os.environ, **developer.environment()}
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "there\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "Traceback" not in err
    part = tmp_path / ".squares.latest.zip.part"
    assert sha256_file(part) == _sample_hash(owner, published)
    developer.ok(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["squares"]


def _sample_hash(owner: Person, name: str) -> str:
    variants = owner.ok("dataset", "info", name, "--json").json["dataset_variants"]
    return next(v["sha256"] for v in variants if v["variant_type"] == "sample")
