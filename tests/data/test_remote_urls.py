from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.remote.urls import are_remote, not_found, remote_url, split_url
from sightline.errors import SightlineError

LOCAL = ["data/x.png", "/s3/x", "./s3:/x", "s3", "S3://bucket/x", "http://host/x", "", "as3://b/x"]


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/a b/#1?/", "s3://bucket/a b/#1?"),
        (Path("s3://bucket/a"), "s3://bucket/a"),
        ("gs://bucket/a//", "gs://bucket/a"),
        *((path, None) for path in LOCAL),
    ],
)
def test_urls_and_paths(path: str | Path, url: str | None) -> None:
    assert remote_url(path) == url
    assert are_remote(pl.Series([str(path)])).to_list() == [url is not None]


def test_buckets_and_keys() -> None:
    assert split_url("s3://bucket/a b/#1") == ("s3://bucket", "a b/#1")
    assert split_url("gs://bucket") == ("gs://bucket", "")
    with pytest.raises(SightlineError, match=r"^s3:///a: names no bucket; write s3://bucket/prefix\.$"):
        split_url("s3:///a")


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_a_urls_own_url_is_itself(text: str) -> None:
    url = remote_url(f"s3://{text}")
    assert url is not None
    assert remote_url(url) == url


def test_what_is_elsewhere_is_not_called_missing() -> None:
    assert "download the dataset first" in str(not_found(Path("s3://bucket/a.png")))
    assert str(not_found(Path("a.png"))) == "a.png: image not found; is the dataset folder complete?"
