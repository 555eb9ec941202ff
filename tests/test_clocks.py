"""Only what compares with times from elsewhere reads the clock on the wall, which can be set."""

from __future__ import annotations

import ast
from pathlib import Path

import hotshoe

SOURCES = Path(hotshoe.__file__).parent
WALL = {"time.time", "datetime.now", "datetime.utcnow", "date.today", "time.localtime", "time.gmtime"}

KNOWN = {
    "server/service.py": "the Date of responses",
    "server/tls.py": "the dates of a certificate",
    "doctor/walk.py": "the dates of responses and certificates",
    "auth/jwts.py": "the dates of a provider's JWT",
    "auth/oidc/oidc_login.py": "the time for logging in, in a cookie; set back, it is longer",
    "auth/login/logins.py": "the end of a login, in a cookie: test_a_clock_that_is_set_revives_no_login",
    "auth/basic/guessing.py": "pauses, for all processes: test_a_clock_that_is_set",
    "web/visits/tickets.py": "the expiry of a token, for all servers: test_a_clock_that_is_set_leaves_live_sessions",
    "client/credentials.py": "the expiry of a token",
}
"""The modules that read it, and what for."""


def test_who_reads_the_clock_on_the_wall() -> None:
    found = set()
    for file in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in WALL:
                found.add(file.relative_to(SOURCES).as_posix())
    assert found == set(KNOWN), "use time.monotonic, or say here why a clock that is set does no harm"
