from pathlib import Path

from sightline.runs.mlflow_files import read_mlflow_metrics


def store_with(folder: Path, **metrics: str) -> Path:
    for name, text in metrics.items():
        path = folder / "0" / "run1" / "metrics" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_values_of_a_name_with_a_slash(tmp_path: Path) -> None:
    store = store_with(tmp_path, train__loss="1700000000500 0.5 3\n1700000001000 0.25 4\n")
    assert list(read_mlflow_metrics(store)) == [
        {"t": 1700000000.5, "name": "train/loss", "kind": "metric", "value": 0.5, "step": 3},
        {"t": 1700000001.0, "name": "train/loss", "kind": "metric", "value": 0.25, "step": 4},
    ]


def test_nan_and_infinity_have_no_value(tmp_path: Path) -> None:
    store = store_with(tmp_path, loss="1 nan 0\n2 inf 1\n3 -inf 2\n")
    assert [point["value"] for point in read_mlflow_metrics(store)] == [None, None, None]


def test_other_lines_and_links_are_passed_over(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("1 1 1\n")
    store = store_with(tmp_path / "store", loss=f"hello\n\n1 x 2\n{'9' * 400} 1.0 1\n1 0.5 2\n")
    (store / "0" / "run1" / "metrics" / "link").symlink_to(secret)
    (store / "0" / "run1" / "params").mkdir()
    (store / "0" / "run1" / "params" / "lr").write_text("1 1 1\n")
    assert [point["step"] for point in read_mlflow_metrics(store)] == [2]


def test_a_missing_store_has_no_points(tmp_path: Path) -> None:
    assert list(read_mlflow_metrics(tmp_path / "none")) == []
