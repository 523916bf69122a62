import json
import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.runs.metrics_file import read_metrics, scan_metrics, write_table

GOOD = '{"t":1.5,"name":"a","kind":"scalar","value":0.25,"step":3}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_a_file_is_followed_while_it_grows(path: Path) -> None:
    assert read_metrics(path) == ([], 0)
    path.write_text(GOOD + "\n" + GOOD[:20])
    points, offset = read_metrics(path)
    assert points == [json.loads(GOOD)]
    assert read_metrics(path, offset) == ([], offset)
    with path.open("a") as stream:
        stream.write(GOOD[20:] + "\n")
    points, end = read_metrics(path, offset)
    assert points == [json.loads(GOOD)]
    assert end == path.stat().st_size
    assert read_metrics(path, end) == ([], end)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "1",
        "[" * 100_000,
        GOOD[:-1],
        GOOD.replace("0.25", "NaN"),
        GOOD.replace("0.25", "1e999"),
        GOOD.replace("0.25", "9" * 400),
        GOOD.replace("0.25", "9" * 5000),
        GOOD.replace("0.25", '"0.25"'),
        GOOD.replace("0.25", "true"),
        GOOD.replace("1.5", "-1"),
        GOOD.replace("1.5", "1e300"),
        GOOD.replace('"a"', '""'),
        GOOD.replace('"a"', '"\\ud800"'),
        GOOD.replace('"a"', f'"{"a" * 201}"'),
        GOOD.replace("scalar", "image"),
        GOOD.replace(":3}", ":-3}"),
        GOOD.replace(":3}", ":3.0}"),
        GOOD.replace(":3}", f":{2**63}}}"),
        "\x00\xff",
    ],
)
def test_a_corrupt_line_is_counted_and_passed_over(path: Path, line: str) -> None:
    path.write_bytes(f"{GOOD}\n".encode() + line.encode("latin-1") + f"\n\n{GOOD}\n".encode())
    points, offset, corrupt = scan_metrics(path)
    assert points == [json.loads(GOOD)] * 2
    assert offset == path.stat().st_size
    assert corrupt == 1


def test_only_known_keys_come_through(path: Path) -> None:
    path.write_text(GOOD.replace("}", ',"text":"NaN","more":[1]}') + "\n")
    assert read_metrics(path)[0] == [json.loads(GOOD)]


def test_a_line_without_end_cannot_hold_the_reader_up(path: Path) -> None:
    path.write_text("x" * 1000 + "\n" + GOOD + "\n")
    points, offset = [], 0
    for _ in range(20):
        more, offset, _ = scan_metrics(path, offset, max_bytes=128)
        points += more
    assert points == [json.loads(GOOD)]
    assert offset == path.stat().st_size


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(noise=st.binary(max_size=200), size=st.integers(70, 300))
def test_any_bytes_are_read_to_the_last_line_end(path: Path, noise: bytes, size: int) -> None:
    path.write_bytes(noise + b"\n" + GOOD.encode() + b"\n")
    offset, points = 0, []
    while True:
        more, end, _ = scan_metrics(path, offset, max_bytes=size)
        if end == offset:
            break
        points, offset = points + more, end
    assert offset == path.stat().st_size
    assert all(point == json.loads(GOOD) for point in points)


def test_links_and_pipes_are_refused_at_once(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(GOOD + "\n")
    (tmp_path / "link").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "."):
        with pytest.raises(SightlineError, match="cannot be read as a metrics file"):
            read_metrics(tmp_path / name)


def test_the_table_has_every_point_and_real_nans(path: Path, tmp_path: Path) -> None:
    odd = ['"NaN"', '"inf"', '"-inf"']
    lines = [GOOD, *(GOOD.replace("0.25", "null").replace("}", f',"text":{text}}}') for text in odd)]
    path.write_text("\n".join([*lines, GOOD.replace("0.25", "null"), GOOD.replace("0.25", "7"), "torn"]))
    assert write_table(path, tmp_path / "metrics.parquet") == 6
    frame = pl.read_parquet(tmp_path / "metrics.parquet")
    assert frame.columns == ["t", "name", "kind", "value", "step"]
    assert [str(value) for value in frame["value"].to_list()] == ["0.25", "nan", "inf", "-inf", "None", "7.0"]
    assert frame.schema["step"] == pl.Int64


def test_the_table_of_no_metrics_is_an_empty_table(path: Path, tmp_path: Path) -> None:
    assert write_table(path, tmp_path / "metrics.parquet") == 0
    assert pl.read_parquet(tmp_path / "metrics.parquet").height == 0
