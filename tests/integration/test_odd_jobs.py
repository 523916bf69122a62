"""Jobs that leave what nobody expects: each ends with its own reason, and the agent goes on."""

import textwrap
from pathlib import Path

from tests.integration.conftest import World, write_package

ODD_NAMES = textwrap.dedent("""
    import os, pathlib
    model = pathlib.Path(os.environ["SIGHTLINE_MODEL_DIR"])
    (model / "a\\nb").write_text("x")
    pathlib.Path(os.fsdecode(os.fsencode(model) + b"/\\xff\\xfe")).write_text("x")
    (model / "link").symlink_to("/etc/passwd")
    (model / "weights.bin").write_bytes(b"12345")
    store = pathlib.Path(os.environ["SIGHTLINE_RUN_DIR"]) / "mlruns" / "0" / "r" / "metrics"
    store.mkdir(parents=True)
    (store / "loss").write_text("9" * 400 + " 1.0 1\\n1700000000000 0.5 3\\n")
""")

FLOOD = textwrap.dedent("""
    import sys
    for _ in range(3000):
        sys.stdout.write("\\x01" * 16000 + "\\n")
    print("the last line")
""")


def run(world: World, folder: Path, name: str, text: str) -> str:
    package = write_package(folder, **{name: text})
    return world.developer.does(
        "experiment", "create", "--name", name, "--dataset", "digits", "--trainer-path", str(package),
        "--cmd", f"python scripts/{name}.py", "--follow",
    )  # fmt: skip


def test_odd_files_are_left_out_with_a_sentence(world: World, tmp_path: Path) -> None:
    output = run(world, tmp_path / "package", "names", ODD_NAMES)
    assert output.count("was left out") == 3
    world.developer.does("experiment", "download", "names", "--destination", "names")
    assert [path.name for path in (world.developer.home / "names" / "model").iterdir()] == ["weights.bin"]
    (point,) = world.developer.asks("experiment", "metrics", "names")
    assert (point["name"], point["value"], point["step"]) == ("loss", 0.5, 3)


def test_a_flood_of_log_is_cut_and_the_end_still_told(world: World, tmp_path: Path) -> None:
    run(world, tmp_path / "package", "flood", FLOOD)
    assert world.developer.asks("experiment", "show", "flood")["state"] == "succeeded"
    lines = world.developer.asks("experiment", "logs", "flood")
    assert sum(len(line["text"]) for line in lines) < 5 << 20
    assert any("cut" in line["text"] for line in lines if line["stream"] == "system")
