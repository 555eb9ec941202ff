"""`hotshoe deploy` itself, in this process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from hotshoe.cli import main
from hotshoe.deploy import TARGETS


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    try:
        status = main(["deploy", *words])
    except SystemExit as error:
        status = int(error.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


def test_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ended(capsys, "nginx", "sliders.py", "--domain", "a.example", "--static", "--trusted-proxies",
                             "10.0.0.0/8")
    assert (status, err) == (0, "")
    assert out.startswith("# https://a.example/sliders\n")
    assert "bokeh/server/static/js/" in out
    assert "--trusted-proxies 10.0.0.0/8" in out


def test_it_writes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = ended(capsys, "heroku", "a.py", "-o", str(tmp_path / "new"))
    assert (status, out) == (0, "")
    assert err.split() == [str(tmp_path / "new" / name) for name in TARGETS["heroku"].files]
    status, _, err = ended(capsys, "heroku", "a.py", "-o", str(tmp_path / "new"))
    assert status == 1
    assert err == f"ERROR: --output: {tmp_path}/new/Procfile exists; replace it with --force\n"
    assert ended(capsys, "heroku", "a.py", "-o", str(tmp_path / "new"), "--force")[0] == 0


def test_requirements_stay(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("flask\n")
    for words in ((), ("--force",)):
        status, out, err = ended(capsys, "heroku", "a.py", "--flask", "shop:app", "-o", str(tmp_path), *words)
        assert (status, out) == (0, "")
        assert err.splitlines() == [
            f"{tmp_path}/Procfile", f"{tmp_path}/app.json",
            f"{tmp_path}/requirements.txt is not changed; add this line to it: hotshoe[wsgi]"]
    assert (tmp_path / "requirements.txt").read_text() == "flask\n"


def test_options_of_serve_go_into_its_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                              tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hotshoe.toml").write_text("port = 5010\nmax-body-size = 5\n")
    _, out, _ = ended(capsys, "nginx", "a.py", "--no-busy-sign", "--exclude-headers", "A", "B", "--session-ids",
                      "signed", "--allow-websocket-origin", "*.example.org")
    assert ("#   hotshoe serve a.py --address 127.0.0.1 --port 5010 --use-xheaders --no-busy-sign "
            "--allow-websocket-origin '*.example.org' --session-ids signed --exclude-headers A --exclude-headers B\n"
            ) in out
    assert "client_max_body_size 5;" in out


@pytest.mark.parametrize(("target", "says"), [
    ("nginx", "client_max_body_size {};"), ("apache", "-gt {}\""), ("caddy", "> {}`"), ("haproxy", "gt {} }}"),
    ("kubernetes", "proxy-body-size: \"{}\""),
])
def test_a_site_takes_larger_bodies(target: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, size in (((), 1 << 20), (("--flask", "shop:app"), 100 << 20),
                        (("--flask", "shop:app", "--max-body-size", "5000"), 5000)):
        _, out, _ = ended(capsys, target, "a.py", "--domain", "apps.example.org", *words)
        assert says.format(size) in out


def test_a_service_sets_no_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """Kubernetes would set HOTSHOE_PORT=tcp://..., if the Service is called hotshoe."""
    _, out, _ = ended(capsys, "kubernetes", "a.py", "--domain", "apps.example.org")
    (pod,) = [each["spec"]["template"]["spec"] for each in yaml.safe_load_all(out) if each["kind"] == "Deployment"]
    assert pod["enableServiceLinks"] is False


@pytest.mark.parametrize(("words", "status", "says"), [
    ((), 2, "a TARGET is missing: nginx, apache"),
    (("ngnix",), 2, "did you mean nginx?"),
    (("nginx", "--force"), 2, "--force needs --output"),
    (("nginx", "--domain", "a;b"), 1, "--domain: 'a;b' is not a name"),
    (("nginx", "a.py\n}"), 1, "apps: 'a.py\\n}' is not a path"),
    (("nginx", "--prefix", "/a b"), 1, "/a b"),
    (("nginx", "--prefix", "/a;b"), 1, "/a;b"),
    (("nginx", "--log-format", "%(message)s\n"), 1, "--log-format: '%(message)s\\n' has characters"),
    (("systemd",), 1, "needs the apps"),
    (("nginx", "--idle", "soon"), 2, "--idle"),
])
def test_mistakes_are_one_line(words: tuple[str, ...], status: int, says: str,
                               capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys, *words)
    assert (code, out) == (status, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_bokeh_is_not_needed_to_print() -> None:
    code = ("import sys; from hotshoe.cli import main; main(['deploy', 'nginx', 'a.py']); "
            "print([name for name in ('bokeh', 'starlette') if name in sys.modules])")
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[-1] == "[]"


def test_a_wheel_has_the_templates() -> None:
    """hatch takes the whole package; what a template includes is a file beside it."""
    import hotshoe.deploy

    folder = Path(hotshoe.deploy.__file__).parent / "templates"
    named = {name for target in TARGETS.values() for name in target.files.values()}
    assert named | {"_head.j2", "lines"} == {path.name for path in folder.iterdir()}
