"""The command line's last check before anything is loaded."""

import socket

import pytest

from app import check_port, main
from turbo_ui.errors import InvalidSetting


def test_a_port_in_use_is_told_by_name_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidSetting, match=f"port is {port}"):
            check_port("127.0.0.1", port)
        assert main(["--host", "127.0.0.1", "--port", str(port)]) == 2
    assert f"port is {port}" in capsys.readouterr().err
    check_port("127.0.0.1", port)
    check_port("127.0.0.1", 0)
    check_port("::1", 7860)
