"""Ports and passwords that stay the same, and files that are never half written."""

import socket
from contextlib import closing
from pathlib import Path

import pytest

from meshctl.embedded.kept import kept_password, kept_port, write_private


def test_a_free_port_stays_the_same(tmp_path: Path) -> None:
    port = kept_port(tmp_path / "port")
    assert 1024 <= port <= 65535
    assert kept_port(tmp_path / "port") == port


def test_a_taken_port_is_replaced_for_good(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        write_private(tmp_path / "port", str(taken.getsockname()[1]))
        port = kept_port(tmp_path / "port")
        assert port != taken.getsockname()[1]
    assert kept_port(tmp_path / "port") == port


@pytest.mark.parametrize("text", ["", "many", "-1", "0", "70000", "99999999999999999999"])
def test_a_note_that_is_no_port_is_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "port").write_text(text)
    port = kept_port(tmp_path / "port")
    assert kept_port(tmp_path / "port") == port


def test_a_password_is_made_once_and_private(tmp_path: Path) -> None:
    file = tmp_path / "password"
    password = kept_password(file)
    assert len(password) >= 40
    assert kept_password(file) == password
    assert kept_password(tmp_path / "other") != password
    file.chmod(0o644)
    assert kept_password(file) == password
    assert file.stat().st_mode & 0o777 == 0o600


def test_an_empty_password_file_is_filled(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("\n")
    assert kept_password(tmp_path / "password")


def test_no_draft_stays_behind(tmp_path: Path) -> None:
    write_private(tmp_path / "file", "old")
    write_private(tmp_path / "file", "new")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("file", "new")]
