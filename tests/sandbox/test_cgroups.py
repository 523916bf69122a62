"""Where control groups can be made, on the layouts that machines have; real groups where we may make them."""

import os
import subprocess
from pathlib import Path

import pytest

from sightline.sandbox.cgroups import ControlGroup, find_parents, sweep
from tests.needs import needs


def layout(root: Path, groups: str, mounts: str) -> Path:
    proc = root / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(groups)
    (proc / "mountinfo").write_text(mounts.replace("ROOT", str(root)))
    return proc


def test_version_1_below_our_own_group(tmp_path: Path) -> None:
    (tmp_path / "memory" / "us").mkdir(parents=True)
    (tmp_path / "pids").mkdir()
    proc = layout(
        tmp_path,
        "4:memory:/us\n8:pids:/\n0::/\n",
        "1 0 0:1 / ROOT/memory rw - cgroup cgroup rw,memory\n2 0 0:2 / ROOT/pids rw - cgroup c rw,pids\n",
    )
    assert find_parents(proc) == ({"memory": tmp_path / "memory" / "us", "pids": tmp_path / "pids"}, 1)


def test_version_1_in_a_container_that_sees_only_its_own(tmp_path: Path) -> None:
    (tmp_path / "memory" / "inner").mkdir(parents=True)
    proc = layout(
        tmp_path, "4:memory:/docker/abc/inner\n", "1 0 0:1 /docker/abc ROOT/memory rw - cgroup c rw,memory\n"
    )
    assert find_parents(proc)[0] == {"memory": tmp_path / "memory" / "inner"}


def test_version_2_beside_our_own_group_where_it_hands_nothing_down(tmp_path: Path) -> None:
    ours = tmp_path / "slice" / "us"
    ours.mkdir(parents=True)
    (ours / "cgroup.subtree_control").write_text("")
    (ours.parent / "cgroup.subtree_control").write_text("cpu memory pids\n")
    proc = layout(tmp_path, "0::/slice/us\n", "1 0 0:1 / ROOT rw - cgroup2 cgroup2 rw\n")
    assert find_parents(proc) == (dict.fromkeys(("memory", "pids", "cpu"), ours.parent), 2)


def test_none_where_there_is_none(tmp_path: Path) -> None:
    assert find_parents(tmp_path) == ({}, 1)
    assert ControlGroup().peak_memory_bytes() is None
    assert not ControlGroup().ran_out_of_memory()


def test_version_2_limits_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parents = (dict.fromkeys(("memory", "pids", "cpu"), tmp_path), 2)
    monkeypatch.setattr("sightline.sandbox.cgroups.find_parents", lambda: parents)
    group = ControlGroup.create(memory_bytes=1000, processes=7, cpus=2)
    (folder,) = set(group.folders.values())
    read = {path.name: path.read_text() for path in folder.iterdir()}
    assert read == {
        "memory.max": "1000",
        "memory.swap.max": "0",
        "pids.max": "7",
        "cpu.max": "200000 100000",
        "cpu.weight": "50",
    }
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    (folder / "memory.peak").write_text("900\n")
    assert group.ran_out_of_memory()
    assert group.peak_memory_bytes() == 900


def test_a_real_group_ends_and_goes_with_its_processes() -> None:
    parents, _ = find_parents()
    needs("control groups", available="memory" in parents)
    group = ControlGroup.create(memory_bytes=1 << 28, processes=10, cpus=1)
    process = subprocess.Popen(["sleep", "60"])
    group.add(process.pid)
    assert group.processes() == {process.pid}
    folders = list(group.folders.values())
    group.end()
    assert process.wait() == -9
    assert not any(folder.exists() for folder in folders)


def test_groups_of_the_dead_are_swept(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    for owner in (dead.pid, os.getpid()):
        (tmp_path / f"sightline-{owner}-abcd").mkdir()
    (tmp_path / "sightline-x-abcd").mkdir()
    sweep(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"sightline-{os.getpid()}-abcd", "sightline-x-abcd"}
