import resource
import subprocess
import sys

import pytest

from hotshoe.config import Settings
from hotshoe.config.limit_table import Limits
from hotshoe.server import limits
from hotshoe.server.limits import max_connections


def test_what_the_settings_say() -> None:
    settings = Settings(max_header_size=2000, max_body_size=3, request_timeout=4, max_connections=5,
                        max_connections_per_address=6)
    assert Limits.of(settings) == Limits(2000, 3, 4, 5, 6)


def test_the_defaults() -> None:
    assert Limits.of(Settings()) == Limits(65536, 1 << 20, 30, 0, 4000)


@pytest.mark.parametrize(("files", "connections"), [(1024, 768), (65536, 49152), (1, 1), (resource.RLIM_INFINITY, 0)])
def test_a_quarter_of_the_files_is_left_to_apps(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    assert max_connections() == connections


def test_where_sockets_are_no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "resource", None)
    limits.raise_file_limit()
    assert max_connections() == 0


RAISE = """
import resource
from hotshoe.server.limits import max_connections, raise_file_limit
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (256, min(5000, hard) if hard > 0 else 5000))
raise_file_limit()
print(*resource.getrlimit(resource.RLIMIT_NOFILE), max_connections())
"""


def test_the_limit_of_files_is_raised_as_far_as_it_goes() -> None:
    done = subprocess.run([sys.executable, "-c", RAISE], capture_output=True, text=True, check=True)
    soft, hard, most = map(int, done.stdout.split())
    assert soft == hard > 256
    assert most == soft * 3 // 4
