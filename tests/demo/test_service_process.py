import json
import socket
import stat
from pathlib import Path

import pytest

from sightline.client import ServiceClient
from sightline.demo.service_process import ServiceProcess
from sightline.errors import SightlineError


def test_it_answers_until_it_is_stopped_and_leaves_no_address_behind(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, "--agents", "0")
    with ServiceClient(service.url, service.admin_key) as client:
        assert client.me().role == "admin"
    assert (tmp_path / "service.json").exists()
    service.stop()
    assert not (tmp_path / "service.json").exists()


def test_a_taken_port_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SightlineError, match=f"Cannot listen at 127.0.0.1:{port}"):
            ServiceProcess(tmp_path, "--agents", "0", "--port", str(port))


def test_a_second_service_on_a_folder_is_refused_and_the_first_stays(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path, "--agents", "0")
    try:
        with pytest.raises(SightlineError, match="another service is running"):
            ServiceProcess(tmp_path, "--agents", "0")
        assert json.loads((tmp_path / "service.json").read_text()) == {"url": service.url, "pid": service.pid}
    finally:
        service.stop()


def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    service = ServiceProcess(tmp_path / "service", "--agents", "0")
    service.stop()
    assert stat.S_IMODE((tmp_path / "service").stat().st_mode) == 0o700


def test_a_wrong_setting_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"Setting 'lease_s' cannot be used"):
        ServiceProcess(tmp_path, "--agents", "0", "--set", "lease_s=-1")
