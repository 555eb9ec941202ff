"""All parsers that are fuzzed."""

from __future__ import annotations

from .driver import Parser
from .parsers import (
    forwarded,
    front,
    http,
    jwts,
    login,
    messages,
    notebook,
    token_json,
    tokens,
    toml,
    users,
    websocket,
)

PARSERS: dict[str, Parser] = {module.PARSER.name: module.PARSER for module in (
    forwarded, front, http, jwts, login, messages, notebook, token_json, tokens, toml, users, websocket,
)}
