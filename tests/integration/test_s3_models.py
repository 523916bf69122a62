"""The registry of models in an object store, with a real S3 server (moto) on this machine."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from sightline.deploy import open_model
from sightline.deploy.registry import Registry
from sightline.errors import SightlineError
from tests.deploy.handmade import classifier


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    httpx.post(f"{url}/moto-api/reset")
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="bucket")
    yield "s3://bucket/lab/models"
    server.stop()


def test_models_go_through_a_store(bucket: str, tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", name="cells")
    here, there = Registry(bucket), Registry(bucket)
    first, _ = here.push(tmp_path / "a.onnx")
    classifier(tmp_path / "a.onnx", name="cells", description="better")
    second, _ = there.push(tmp_path / "a.onnx")
    assert [one.reference for one in here.revisions("cells")] == [first.reference, second.reference]
    assert here.push(tmp_path / "a.onnx") == (second, False)
    path = here.pull("cells", tmp_path / "back.onnx")
    assert open_model(path).card == second.card
    assert there.remove("cells") == [first, second]
    assert here.models() == []
    assert Registry("s3://bucket").models() == []


def test_a_store_that_is_not_there_is_one_sentence(bucket: str, tmp_path: Path) -> None:
    classifier(tmp_path / "a.onnx", name="cells")
    with pytest.raises(SightlineError, match="there is no bucket 'nowhere'"):
        Registry("s3://nowhere/models").push(tmp_path / "a.onnx")
