"""The private parts of uvicorn and websockets: the list is whole, and without one of them no server starts."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from hotshoe.base.errors import ConfigError
from hotshoe.base.extras import KNOWN
from hotshoe.cli import main
from hotshoe.server import http_protocol, libraries, websocket_protocol
from hotshoe.server.frame_parsing import FrameProtocol, FrameReader
from hotshoe.server.http_protocol import HttpProtocol
from hotshoe.server.libraries import PARTS, LibraryPart, check
from hotshoe.server.websocket_protocol import WebSocketProtocol

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
OWNERS = {part.owner.__name__: part for part in PARTS}
ATTRIBUTES = {
    "cycle": "RequestResponseCycle", "flow": "FlowControl", "conn": "ServerProtocol",
}  # fmt: skip
"""What class an attribute of a connection has."""


def renamed(function: FunctionType, name: str) -> Any:
    """The code of a function as if a name in it were another."""
    code = function.__code__
    return code.replace(co_names=tuple(f"{each}_" if each == name else each for each in code.co_names),
                        co_varnames=tuple(f"{each}_" if each == name else each for each in code.co_varnames))


def test_this_uvicorn_and_these_websockets_are_as_we_know_them() -> None:
    check()


def test_whatever_is_missing_or_renamed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    unseen = []
    for part in PARTS:
        for name in {*part.overridden, *part.called, *part.named}:
            with monkeypatch.context() as patch:
                patch.delattr(part.owner, name)
                if said() != line_for(part, name):
                    unseen.append((part.owner, name))
        inside = [(name, each) for names in (part.named, part.overridden, part.called) for name in names
                  for each in names[name]]
        for name, each in inside:
            function = vars(part.owner)[name]
            with monkeypatch.context() as patch:
                patch.setattr(function, "__code__", renamed(function, each))
                if said() != line_for(part, name):
                    unseen.append((part.owner, f"{name}, {each}"))
    assert unseen == []


def said() -> str:
    try:
        check()
    except ConfigError as error:
        return str(error)
    return ""


def line_for(part: LibraryPart, name: str) -> str:
    library = part.owner.__module__.partition(".")[0]
    return (f"{library} {version(library)} does not work with this hotshoe, whose limits would not hold "
            f"({part.owner.__name__}.{name} has changed): pip install '{library}{KNOWN[library]}'")


def test_a_new_parameter_is_told_if_it_has_to_be_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_more(self: Any, mask: bool, extensions: Any = None, *, more: Any = None) -> None: ...
    def with_need(self: Any, mask: bool, extensions: Any = None, *, more: Any) -> None: ...
    def overridden(self: Any, msg: str, status: int = 400) -> None: ...

    monkeypatch.setattr(libraries.Frame, "serialize", with_more)
    check()
    monkeypatch.setattr(libraries.Frame, "serialize", with_need)
    with pytest.raises(ConfigError, match=r"Frame\.serialize"):
        check()
    monkeypatch.undo()
    monkeypatch.setattr(libraries.HttpToolsProtocol, "send_400_response", overridden)
    with pytest.raises(ConfigError, match=r"HttpToolsProtocol\.send_400_response"):
        check()


@pytest.mark.parametrize(("library", "module"), [("uvicorn", "uvicorn.protocols.http.flow_control"),
                                                 ("websockets", "websockets.streams")])
def test_a_module_that_is_gone_is_told(library: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # as Python says that there is none
    monkeypatch.delitem(sys.modules, "hotshoe.server.libraries")
    with pytest.raises(ConfigError, match=f"pip install '{library}{KNOWN[library]}'"):
        importlib.import_module("hotshoe.server.libraries")


def test_a_server_does_not_start_without_its_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delattr(libraries.HttpToolsProtocol, "_unset_keepalive_if_required")
    app = tmp_path / "app.py"
    app.write_text("")
    assert main(["serve", str(app), "--port", "0", "--address", "127.0.0.1"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("ERROR: uvicorn ")
    assert said[-1].endswith(f": pip install 'uvicorn{KNOWN['uvicorn']}'")
    assert "Traceback" not in "".join(said)


def test_only_versions_that_are_known_are_installed() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    assert {f"{library}{versions}" for library, versions in KNOWN.items()} <= set(wanted)


# -- the list is whole


@pytest.mark.parametrize("ours", [HttpProtocol, WebSocketProtocol, FrameProtocol, FrameReader])
def test_what_takes_the_place_of_a_method_is_listed(ours: type) -> None:
    for name in vars(ours):
        for owner in ours.__mro__[1:]:
            if inspect.isfunction(vars(owner).get(name)) and owner.__name__ in OWNERS:
                part = OWNERS[owner.__name__]
                assert name in {*part.overridden, *part.called}, f"{owner.__name__}.{name}"
                break


@pytest.mark.parametrize(("module", "ours"),
                         [(http_protocol, HttpProtocol), (websocket_protocol, WebSocketProtocol)])
def test_what_is_read_or_called_is_listed(module: Any, ours: type) -> None:
    base = OWNERS[ours.__mro__[1].__name__]
    [node] = [node for node in ast.parse(inspect.getsource(module)).body
              if isinstance(node, ast.ClassDef) and node.name == ours.__name__]
    for path in chains(node):
        if path[0] == "self" and path[1] in names_of(base.owner):
            assert path[1] in listed(base), f"{base.owner.__name__}.{path[1]}"
        if path[0] in ATTRIBUTES or (len(path) > 2 and path[1] in ATTRIBUTES):
            at = 1 if path[0] == "self" else 0
            name = ATTRIBUTES[path[at]]
            known = set().union(*(listed(OWNERS[each.__name__]) for each in OWNERS[name].owner.__mro__
                                  if each.__name__ in OWNERS))
            known |= set(vars(FrameProtocol)) | {"left"}  # our own
            assert path[at + 1] in known, f"{name}.{path[at + 1]}"


def listed(part: LibraryPart) -> set[str]:
    return {*part.overridden, *part.called, *part.named}.union(*part.named.values())


def names_of(owner: type) -> set[str]:
    """The attributes that a class has or sets, as its code says."""
    return set(vars(owner)).union(*(function.__code__.co_names for function in vars(owner).values()
                                    if inspect.isfunction(function)))


def chains(tree: ast.AST) -> Iterator[list[str]]:
    """What stands like ``self.a.b`` or ``cycle.a`` in code, as a list of names."""
    for node in ast.walk(tree):
        names: list[str] = []
        each: ast.AST = node
        while isinstance(each, ast.Attribute):
            names.insert(0, each.attr)
            each = each.value
        if isinstance(each, ast.Name) and names:
            yield [each.id, *names]
