"""Datasets in an object store, with a real S3 server (moto) on this machine."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import httpx
import polars as pl
import pytest
from moto.server import ThreadedMotoServer

from sightline.data import Dataset, DatasetInfo, Sample
from sightline.data.remote import store
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset, image_folder
from tests.needs import shared_data

INFO, PARQUET = "dataset_info.json", "annotations.parquet"


class Bucket:
    """A bucket, seen by another client than the one under test."""

    name = "bucket"

    def __init__(self, url: str) -> None:
        self.client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        self.client.create_bucket(Bucket=self.name)

    def objects(self, prefix: str = "") -> dict[str, str]:
        """Key and time of change of everything below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return {item["Key"]: str(item["LastModified"]) for page in pages for item in page.get("Contents", [])}

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    httpx.post(f"{server}/moto-api/reset")
    return Bucket(server)


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "pictures", {("train", "cat"): 3, ("test", "dog"): 2})


def _pixels(dataset: Dataset) -> list[bytes]:
    return [sample.read_image().tobytes() for sample in dataset]


def test_written_read_filtered_and_downloaded(bucket: Bucket, pets: Dataset, tmp_path: Path) -> None:
    written = pets.write("s3://bucket/sets/pets")
    assert len(bucket.objects("sets/pets/data/")) == 5
    remote = Dataset.from_path("s3://bucket/sets/pets/")
    assert remote.info == pets.info
    assert remote.samples.equals(written.samples)
    assert remote.samples["file_path"].str.starts_with("s3://bucket/sets/pets/data/").all()
    assert _pixels(remote) == _pixels(pets)
    dogs = remote.create_split_dataset("test").download(tmp_path / "dogs")
    assert _pixels(dogs) == _pixels(pets)[3:]
    assert len(list((tmp_path / "dogs" / "data").glob("*/*"))) == 2, "and no more than that"
    assert Dataset.from_path(tmp_path / "dogs").samples.equals(dogs.samples)


def test_a_local_folder_and_another_prefix_can_be_written_from_a_store(
    bucket: Bucket, pets: Dataset, tmp_path: Path
) -> None:
    remote = pets.write("s3://bucket/a")
    local = remote.write(tmp_path / "local")
    assert local.samples.drop("file_path").equals(pets.samples.drop("file_path"))
    assert _pixels(Dataset.from_path(tmp_path / "local")) == _pixels(pets)
    assert _pixels(remote.write("s3://bucket/b")) == _pixels(pets)
    with pytest.raises(SightlineError, match="object store and cannot be linked to"):
        remote.write(tmp_path / "linked", how="symlink")
    with pytest.raises(SightlineError, match="an object store holds no links"):
        pets.write("s3://bucket/c", how="hardlink")


def test_names_that_speak_of_errors_are_names_like_others(
    bucket: Bucket, pets: Dataset, tmp_path: Path
) -> None:
    pets.write("s3://bucket/error/404 failed")
    assert len(bucket.objects("error/404 failed/data/")) == 5
    local = Dataset.from_path("s3://bucket/error/404 failed").download(tmp_path / "Error: fatal")
    assert _pixels(local) == _pixels(pets)


def test_real_folders_of_another_writer_go_through_a_store(bucket: Bucket, tmp_path: Path) -> None:
    """Its images have names that say nothing to us, so that sizes are compared instead of hashes."""
    folder = shared_data("hafnia-format") / "bccd-mini"
    for path in folder.rglob("*.*"):
        bucket.put(f"theirs/{path.relative_to(folder).as_posix()}", path.read_bytes())
    local, remote = Dataset.from_path(folder), Dataset.from_path("s3://bucket/theirs")
    assert remote[0].bboxes == local[0].bboxes
    first = remote.download(tmp_path / "here")
    assert _pixels(first) == _pixels(local)
    changed = Path(str(first[0].file_path))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "here" / "data").iterdir()}
    changed.write_bytes(b"broken")
    again = remote.download(tmp_path / "here")
    assert _pixels(again) == _pixels(local)
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "here" / "data").iterdir()}
    assert {path for path, moment in after.items() if before[path] != moment} == {changed}


_UPLOAD = """
import sys, time
import sightline.data.remote.transfer as transfer
from sightline.data import Dataset
name = transfer.image_name
def slowly(*arguments):
    time.sleep(0.2)
    return name(*arguments)
transfer.image_name = slowly
Dataset.from_image_folder(sys.argv[1], name="x").write("s3://bucket/set")
"""


def test_an_upload_killed_half_way_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    source = image_folder(tmp_path / "source", {"train/a": 100})
    process = subprocess.Popen([sys.executable, "-c", _UPLOAD, str(source)])
    deadline = time.monotonic() + 60
    while len(bucket.objects("set/data/")) < 20:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -9
    there = bucket.objects("set/")
    assert len(there) < 100
    with pytest.raises(SightlineError, match=r"one whose writing was broken off: no dataset_info\.json"):
        Dataset.from_path("s3://bucket/set")
    time.sleep(1.1)  # times of change are whole seconds
    Dataset.from_image_folder(source, name="x").write("s3://bucket/set")
    now = bucket.objects("set/")
    assert {key: now[key] for key in there} == there, "what was there is not sent again"
    assert len(Dataset.from_path("s3://bucket/set").download(tmp_path / "back")) == 100


def test_a_download_goes_on_and_is_not_repeated(bucket: Bucket, pets: Dataset, tmp_path: Path) -> None:
    remote = pets.write("s3://bucket/set")
    images = sorted(key for key in bucket.objects("set/data/"))
    content = bucket.get(images[3])
    bucket.delete(images[3])
    with pytest.raises(SightlineError, match=f"s3://bucket/{images[3]}: there is no such object"):
        remote.download(tmp_path / "here")
    assert not (tmp_path / "here" / INFO).exists()
    bucket.put(images[3], content)
    remote.download(tmp_path / "here")
    for key in images:
        bucket.delete(key)
    assert _pixels(remote.download(tmp_path / "here")) == _pixels(pets), "nothing had to be fetched"


def test_a_folder_that_holds_something_else_is_not_downloaded_to(
    bucket: Bucket, pets: Dataset, tmp_path: Path
) -> None:
    remote = pets.write("s3://bucket/set")
    remote.download(tmp_path / "here")
    half = remote.create_split_dataset("train")
    with pytest.raises(SightlineError, match="holds other samples or annotations"):
        half.download(tmp_path / "here")
    assert len(half.download(tmp_path / "here", overwrite=True)) == 3
    assert len(list((tmp_path / "here" / "data").glob("*/*"))) == 5
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(SightlineError, match=r"is not a dataset, it holds 'letter\.txt'"):
        remote.download(tmp_path / "home", overwrite=True)
    with pytest.raises(SightlineError, match="is not a folder"):
        remote.download(tmp_path / "home" / "letter.txt")


def test_overwriting_leaves_only_the_new(bucket: Bucket, pets: Dataset) -> None:
    pets.write("s3://bucket/set")
    with pytest.raises(SightlineError, match="exists already; choose another prefix or overwrite it"):
        pets.write("s3://bucket/set")
    Dataset.from_path("s3://bucket/set").create_split_dataset("test").write("s3://bucket/set", overwrite=True)
    assert len(bucket.objects("set/data/")) == 2
    assert len(Dataset.from_path("s3://bucket/set")) == 2
    bucket.put("other/notes.txt", b"dear diary")
    with pytest.raises(SightlineError, match=r"is not a dataset, it holds 'notes\.txt'"):
        pets.write("s3://bucket/other", overwrite=True)


def test_files_of_others_in_a_folder_named_data_survive(bucket: Bucket, pets: Dataset) -> None:
    bucket.put("data/raw.jpg", b"never to be had again")
    bucket.put("data/ab/raw.jpg", b"nor this")
    pets.write("s3://bucket")
    Dataset.from_path("s3://bucket").create_split_dataset("test").write("s3://bucket", overwrite=True)
    assert {"data/raw.jpg", "data/ab/raw.jpg"} <= bucket.objects().keys()
    assert len(bucket.objects("data/")) == 2 + 2


def test_damage_in_the_store_is_found(bucket: Bucket, pets: Dataset, tmp_path: Path) -> None:
    remote = pets.write("s3://bucket/set")
    key = min(bucket.objects("set/data/"))
    bucket.put(key, bucket.get(key)[::-1])
    sample = next(sample for sample in remote if str(sample.file_path).endswith(key))
    for attempt in (
        lambda: remote.download(tmp_path / "here"),
        lambda: remote.write(tmp_path / "local"),
        lambda: remote.write("s3://bucket/copy"),
        sample.read_image,
    ):
        with pytest.raises(SightlineError, match=f"s3://bucket/{key}: is damaged"):
            attempt()
    assert not list((tmp_path / "here").glob(f"data/*/{Path(key).name}"))
    assert not (tmp_path / "local").exists()
    bucket.put("set/annotations.parquet", b"PAR1")
    with pytest.raises(SightlineError, match=r"^s3://bucket/set/annotations\.parquet: cannot be read as a p"):
        Dataset.from_path("s3://bucket/set")


def test_the_annotations_alone_in_jsonl(bucket: Bucket, pets: Dataset) -> None:
    pets.write("s3://bucket/set")
    bucket.delete("set/annotations.parquet")
    assert len(Dataset.from_path("s3://bucket/set")) == 5


def test_large_images_go_in_pieces(
    bucket: Bucket, pets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = tmp_path / "big.tif"
    big.write_bytes(os.urandom((17 << 20) + 5))
    sample = Sample(file_path=str(big), height=1, width=1)
    dataset = Dataset.from_samples([sample], DatasetInfo(dataset_name="big"))
    back = dataset.write("s3://bucket/big").download(tmp_path / "back")
    assert Path(str(back[0].file_path)).read_bytes() == big.read_bytes()


def test_what_needs_files_says_that_they_are_elsewhere(bucket: Bucket, pets: Dataset, tmp_path: Path) -> None:
    from sightline.data.images import image_size, read_rgb

    remote = pets.write("s3://bucket/set")
    path = str(remote[0].file_path)
    for attempt in (lambda: read_rgb(path), lambda: image_size(Path(path))):
        with pytest.raises(SightlineError, match="is in an object store; download the dataset first"):
            attempt()
    with pytest.raises(
        SightlineError, match=r"5 of 5 images are in an object store.* download the dataset first"
    ):
        remote.to_image_folder(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_mistakes_are_one_sentence_each(
    bucket: Bucket, pets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_RETRY", {"max_retries": 1})
    store._opened.cache_clear()
    cases = {
        "s3://bucket/nothing": r"^s3://bucket/nothing: not a dataset, or one whose writing was broken off",
        "s3://nowhere/set": r"^s3://nowhere/set: there is no bucket 'nowhere'; create it, or check",
        "s3://": "^s3://: names no bucket; write s3://bucket/prefix",
    }
    for url, sentence in cases.items():
        with pytest.raises(SightlineError, match=sentence):
            Dataset.from_path(url)
    with pytest.raises(SightlineError, match="there is no bucket 'nowhere'"):
        pets.write("s3://nowhere/set")
    pets.write("s3://bucket/set")
    Path(str(pets[0].file_path)).unlink()
    with pytest.raises(SightlineError, match="1 of 5 images are missing"):
        pets.write("s3://bucket/other")
    with monkeypatch.context() as patched:
        patched.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(SightlineError, match=r"http://127\.0\.0\.1:9 cannot be reached; check AWS_ENDPO"):
            Dataset.from_path("s3://bucket/set")
    with monkeypatch.context() as patched:
        patched.delenv("AWS_ACCESS_KEY_ID")
        patched.delenv("AWS_SECRET_ACCESS_KEY")
        patched.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # where machines of AWS ask for theirs
        with pytest.raises(SightlineError, match="found no credentials; set AWS_ACCESS_KEY_ID and"):
            Dataset.from_path("s3://bucket/set")
    with monkeypatch.context() as patched:
        patched.setenv("AWS_SKIP_SIGNATURE", "true")
        with pytest.raises(SightlineError, match="check the credentials and what they may do"):
            Dataset.from_path("s3://bucket/set")
    store._opened.cache_clear()


def test_a_request_that_is_never_answered_is_made_again(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, over = [], threading.Event()

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if len(asked) == 1:
                over.wait(60)
                return
            self.send_response(200)
            headers = {"Content-Length": "4", "ETag": '"1"', "Last-Modified": "Sat, 28 Nov 2026 12:00:00 GMT"}
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setitem(store._CLIENT, "read_timeout", timedelta(seconds=1))
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        try:
            assert b"".join(store.Place.at("s3://bucket/set").chunks("late.txt")) == b"here"
        finally:
            over.set()
            server.shutdown()
            store._opened.cache_clear()
    assert len(asked) == 2


def test_a_forked_process_is_told(bucket: Bucket, pets: Dataset) -> None:
    remote = pets.write("s3://bucket/set")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            remote[0].read_image()
            os.write(writing, b"read")
        except SightlineError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        assert "download the dataset first" in stream.read()


def test_a_frame_of_no_samples(bucket: Bucket, pets: Dataset) -> None:
    empty = pets.replace(samples=pets.samples.filter(pl.lit(value=False)))
    assert len(empty.write("s3://bucket/empty")) == 0
    assert len(Dataset.from_path("s3://bucket/empty")) == 0
