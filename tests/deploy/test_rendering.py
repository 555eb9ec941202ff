"""All targets: what they print fits hotshoe's own parser and the readers of their formats."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from itertools import product

import pytest
import yaml  # type: ignore[import-untyped]
from tests.support.command_line import parse

from hotshoe.base.errors import ConfigError
from hotshoe.config import Settings
from hotshoe.deploy import TARGETS, DeployOptions, Plan, make_plan, render

ALL = DeployOptions(apps=["sliders.py", "b/main.ipynb"], domains=["a.example", "www.a.example"], site="shop:app",
             upstreams=["127.0.0.1:5006", "127.0.0.1:5007"], program="/usr/bin/hotshoe", behind=["10.0.0.1"],
             serve_options=[("--auth", "basic"), ("--max-sessions", "50")])
SETTINGS = Settings(prefix="/apps")


def plan_of(options: DeployOptions = ALL, settings: Settings = SETTINGS) -> Plan:
    return make_plan(options, settings)


def commands(text: str) -> list[list[str]]:
    """Every command of hotshoe serve in a file, as the words that follow it."""
    found = []
    for line in text.splitlines():
        if '"hotshoe", "serve"' in line:
            found.append(json.loads(line[line.index("["):])[2:])
        elif " serve " in line and "hotshoe" in line.partition(" serve ")[0]:
            found.append(shlex.split(line.partition(" serve ")[2]))
    return found


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("options", [
    ALL, replace(ALL, site=None, no_tls=True, behind=[]),
    replace(ALL, site=None, upstreams=["127.0.0.1:5006"], domains=["a.example"]),
], ids=["all", "plain", "one"])
def test_every_command_parses(name: str, options: DeployOptions) -> None:
    files = render(TARGETS[name], plan_of(options), "1.2")
    found = [words for file in files for words in commands(file.text)]
    expected = {"nginx", "apache", "caddy", "haproxy", "traefik"}
    assert len(found) == (len(options.upstreams) if name in expected else 1)
    for words in found:
        paths, settings = parse([word.replace("%i", "5006") for word in words], {})
        assert paths == ["sliders.py", "b/main.ipynb"]
        assert (settings.prefix, settings.wsgi) == ("/apps", options.site)
        assert (settings.auth, settings.max_sessions) == ("basic", 50)
        assert settings.use_xheaders is (name != "ssh-tunnel")
        assert settings.trusted_proxies or name == "ssh-tunnel" or not options.behind


@pytest.mark.parametrize("name", TARGETS)
def test_texts_are_tidy(name: str) -> None:
    for file in render(TARGETS[name], plan_of(), "1.2"):
        assert file.text.endswith("\n")
        assert not file.text.endswith("\n\n")
        assert "\n\n\n" not in file.text, file.text
        assert not [line for line in file.text.splitlines() if line.rstrip() != line]
        assert "None" not in file.text
        assert "{%" not in file.text


@pytest.mark.parametrize(("name", "options", "says"), [
    ("haproxy", replace(ALL, static_folder="/b"), "serves no files"),
    ("haproxy", replace(ALL, tls="/c.pem", tls_key="/k.pem"), "write both into one"),
    ("traefik", replace(ALL, static_folder="/b"), "serves no files"),
    ("traefik", replace(ALL, upstreams=["unix:/a"]), "Unix socket"),
    ("apache", replace(ALL, upstreams=["unix:/a"], wstunnel=True), "Unix socket"),
    ("systemd", replace(ALL, program="hotshoe"), "--program"),
    ("systemd", replace(ALL, upstreams=["127.0.0.1:1", "unix:/a"]), "in the same way"),
    ("systemd", replace(ALL, upstreams=["unix:/a", "unix:/b"]), "/run/hotshoe/NAME.sock"),
    ("systemd", replace(ALL, apps=[], site=None), "needs the apps"),
    ("docker", replace(ALL, apps=["/srv/a.py"]), "relative"),
    ("docker", replace(ALL, apps=["../a.py"]), "relative"),
    ("compose", replace(ALL, upstreams=["unix:/a"]), "--unix-socket"),
    ("kubernetes", replace(ALL, tls="/c.pem"), "--tls"),
    ("kubernetes", replace(ALL, static_folder="/b"), "--static"),
    ("heroku", replace(ALL, strip_prefix=True), "--strip-prefix"),
    ("ssh-tunnel", replace(ALL, domains=[]), "--domain"),
    ("ssh-tunnel", replace(ALL, strip_prefix=True), "--strip-prefix"),
])
def test_what_a_target_can_not_do(name: str, options: DeployOptions, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        render(TARGETS[name], plan_of(options), "1.2")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


HEADERS = Settings(use_xheaders=True, auth="header", auth_header_user="X-Remote-User", auth_header_groups="X-Groups")
JWT = Settings(use_xheaders=True, auth="header", auth_header_jwt="X-Jwt", auth_header_keys="/k",
               auth_header_audience="a")
PASSING = ("nginx", "apache", "caddy", "haproxy")


@pytest.mark.parametrize("name", TARGETS)
def test_who_may_say_who_the_user_is(name: str) -> None:
    """A proxy that does not log users in drops such headers, and the error names the option for the one that does."""
    for settings, behind in product((HEADERS, JWT), ([], ["10.0.0.1"])):
        needy = name in (*PASSING, "docker") and not behind
        refused = name == "ssh-tunnel" or (
            settings is HEADERS and (needy or name in ("traefik", "compose", "kubernetes", "heroku")))
        plan = plan_of(replace(ALL, behind=behind, serve_options=[]), settings)
        if not refused:
            render(TARGETS[name], plan, "1.2")
            continue
        with pytest.raises(ConfigError) as caught:
            render(TARGETS[name], plan, "1.2")
        says = str(caught.value)
        assert "\n" not in says
        if name in PASSING:
            assert says == ("any visitor could forge X-Remote-User, since this proxy does not log users in: give the "
                            "one that does with --behind ADDRESS, or use --auth-header-jwt")
        else:
            assert "--auth-header-jwt" in says or name == "ssh-tunnel"


def test_a_container_believes_no_network_who_the_user_is() -> None:
    plan = plan_of(replace(ALL, serve_options=[]), HEADERS)
    text = render(TARGETS["docker"], plan, "1.2")[0].text
    assert commands(text)[0].count("--trusted-proxies") == 1
    assert "172.16" not in text


@pytest.mark.parametrize("name", PASSING)
def test_headers_of_users_are_named(name: str) -> None:
    (file,) = render(TARGETS[name], plan_of(replace(ALL, serve_options=[]), HEADERS), "1.2")
    for header in ("X-Remote-User", "X-Groups"):
        lines = [line for line in file.text.splitlines() if header in line and line[0] != "#"]
        (line,) = lines
        assert any(word in line for word in ("$hotshoe_user", "10.0.0.1", "@stranger", "unless known")), line


def test_versions_that_files_need() -> None:
    (haproxy,) = render(TARGETS["haproxy"], plan_of(), "1.2")
    assert "# This needs HAProxy 2.6 or later.\n" in haproxy.text.partition("global")[0]
    (nginx,) = render(TARGETS["nginx"], plan_of(), "1.2")
    assert nginx.text.count("add: http2 on;") == 1


def test_systemd_knows_only_its_own_machine() -> None:
    settings = Settings(use_xheaders=True, trusted_proxies=("10.0.0.1",))
    with pytest.raises(ConfigError, match="its own machine"):
        render(TARGETS["systemd"], plan_of(replace(ALL, upstreams=["10.0.0.2:1"]), settings), "1.2")


def test_herokus_router_is_impatient() -> None:
    with pytest.raises(ConfigError, match="lower --keep-alive"):
        render(TARGETS["heroku"], plan_of(ALL, Settings(keep_alive_milliseconds=60000)), "1.2")


HEROKU_KEYS = {"name", "description", "keywords", "website", "repository", "logo", "success_url", "scripts", "env",
               "formation", "addons", "buildpacks", "environments", "stack", "image"}


def test_heroku() -> None:
    files = {file.name: file.text for file in render(TARGETS["heroku"], plan_of(), "1.2")}
    assert set(files) == {"Procfile", "app.json", "requirements.txt"}
    name, _, command = files["Procfile"].partition(": ")
    assert name == "web"
    assert command.startswith("hotshoe serve ")
    assert "--port" not in command
    _, settings = parse(shlex.split(command)[2:], {"PORT": "12345"})
    assert (settings.port, settings.address, settings.use_xheaders) == (12345, None, True)
    assert "10.0.0.0/8" in settings.trusted_proxies
    described = json.loads(files["app.json"])
    assert set(described) <= HEROKU_KEYS
    assert described["env"]["BOKEH_SECRET_KEY"]["generator"] == "secret"
    assert described["formation"]["web"]["quantity"] == 2
    assert "hotshoe[wsgi]" in files["requirements.txt"].splitlines()


def test_docker() -> None:
    files = {file.name: file.text for file in render(TARGETS["docker"], plan_of(), "1.2")}
    lines = [line for line in files["Dockerfile"].replace("\\\n", "").splitlines() if line and line[0] != "#"]
    instructions = [line.split()[0] for line in lines]
    assert instructions[0] == "FROM"
    assert instructions[-1] == "CMD"
    assert set(instructions) <= {"FROM", "ENV", "RUN", "WORKDIR", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL",
                                 "CMD"}
    assert instructions.index("USER") > instructions.index("RUN")
    assert json.loads(lines[-1].removeprefix("CMD "))[:2] == ["hotshoe", "serve"]
    check = json.loads(next(line for line in lines if line.startswith("HEALTHCHECK")).partition("CMD ")[2])
    assert ":5006/_hotshoe/health'" in check[-1]
    compile(check[-1], "healthcheck", "exec")
    assert {"**/.git", "**/.env", "**/*.env", "**/*.pem", "**/*.key", "**/hotshoe.users", "**/secret-key"} <= set(
        files[".dockerignore"].splitlines())


def test_secret_files_do_not_get_into_an_image() -> None:
    settings = Settings(auth="oidc", oidc_issuer="github", oidc_client_id="a", oidc_client_secret_file="x/client",
                        users_file="/srv/people", secret_file="own-key")
    (text,) = [file.text for file in render(TARGETS["docker"], plan_of(ALL, settings), "1.2")
               if file.name == ".dockerignore"]
    assert {"**/client", "**/people", "**/own-key", "**/hotshoe.users"} <= set(text.splitlines())
    with pytest.raises(ConfigError, match="--users-file"):
        render(TARGETS["docker"], plan_of(ALL, replace(settings, users_file="a\n!b")), "1.2")


@pytest.mark.parametrize(("tls", "strip", "several"), [
    *product(("auto", "/c.pem", None), (True, False), (True, False))])
def test_traefik(tls: str | None, strip: bool, several: bool) -> None:
    options = replace(ALL, tls=tls, no_tls=tls is None, strip_prefix=strip,
                     upstreams=ALL.upstreams if several else ALL.upstreams[:1])
    main, site = (yaml.safe_load(file.text) for file in render(TARGETS["traefik"], plan_of(options), "1.2"))
    entry = "web" if tls is None else "websecure"
    points = main["entryPoints"]
    assert points[entry]["transport"]["respondingTimeouts"]["idleTimeout"] == "300s"
    assert points[entry]["forwardedHeaders"]["trustedIPs"] == ["10.0.0.1/32"]
    assert (points["web"].get("http", {}).get("redirections", {}).get("entryPoint", {}).get("to") == "websecure") is (
        tls is not None)
    router = site["http"]["routers"]["hotshoe"]
    assert router["entryPoints"] == [entry]
    assert "Host(`a.example`)" in router["rule"]
    assert "PathPrefix(`/apps/`)" in router["rule"]
    assert ("tls" in router) is (tls is not None)
    if tls == "auto":
        assert router["tls"]["certResolver"] in main["certificatesResolvers"]
    assert (site.get("tls") == {"certificates": [{"certFile": "/c.pem", "keyFile": "/c.pem"}]}) is (tls == "/c.pem")
    assert router["middlewares"] == ["hotshoe-clean", *["hotshoe-prefix"] * strip]
    assert set(router["middlewares"]) == set(site["http"]["middlewares"])
    assert site["http"]["middlewares"]["hotshoe-clean"]["headers"]["customRequestHeaders"] == {
        "Forwarded": "", "X-Scheme": "", "X-Forwarded-Ssl": ""}
    balancer = site["http"]["services"][router["service"]]["loadBalancer"]
    assert len(balancer["servers"]) == 1 + several
    assert ("sticky" in balancer) is several
    assert balancer["healthCheck"]["path"] == "/_hotshoe/health"


def test_a_tunnel() -> None:
    (file,) = render(TARGETS["ssh-tunnel"], plan_of(replace(ALL, user="ada")), "1.2")
    assert file.text.splitlines()[-1] == ("ssh -N -L 5006:localhost:5006 -o ExitOnForwardFailure=yes "
                                          "-o ServerAliveInterval=30 ada@a.example")
    assert "-R 5006:localhost:5006" in file.text
    assert "http://localhost:5006/apps/sliders http://localhost:5006/apps/main" in file.text
    (socket,) = render(TARGETS["ssh-tunnel"], plan_of(replace(ALL, upstreams=["unix:/run/a.sock"])), "1.2")
    assert "-L 5006:/run/a.sock" in socket.text.splitlines()[-1]
