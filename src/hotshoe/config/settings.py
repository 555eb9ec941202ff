"""The table of settings: the only place where a setting is declared.

Flags, environment variables, keys of ``hotshoe.toml``, ``--help`` and ``docs/settings.md`` come from it. Building
``Settings`` reads nothing and changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checks import check_log_format, check_origin, check_prefix
from .setting import Group, Setting, setting
from .sources import gather, validate

LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "None")


@dataclass(frozen=True, slots=True)
class Settings:
    """The value of every setting. Raises ``ConfigError`` for one that it can't have."""

    port: int = setting(
        5006, "Port to listen on; 0 takes any free one.", Group.PLACE,
        metavar="PORT", bokeh_environment="BOKEH_DEFAULT_SERVER_PORT", least=0, most=65535)
    address: str | None = setting(
        None, "Address to listen on; without one, all of this machine, IPv4 and IPv6.", Group.PLACE, metavar="ADDRESS")
    prefix: str = setting(
        "", "Path in front of every URL of the server.", Group.PLACE, metavar="PREFIX", check=check_prefix)
    dev: bool = setting(
        False, "Load an app again when its files change, and have its pages follow; show tracebacks in them. Files and "
        "folders that are named after it are watched too.", Group.APPS, metavar="[FILE ...]")
    watch: tuple[str, ...] = setting(
        (), "With --dev, another file or folder whose changes count. Can be given several times.", Group.APPS,
        metavar="PATH")
    show: bool = setting(
        False, "Open each app in the browser once the server runs.", Group.APPS)
    args: tuple[str, ...] = setting(
        (), "Everything after it becomes sys.argv[1:] of every app.", Group.APPS, metavar="...", separator=None)
    glob: bool = setting(
        False, "Expand the names of files as patterns, where the shell does not.", Group.APPS)
    disable_index: bool = setting(
        False, "Do not list the apps at the root.", Group.APPS)
    disable_index_redirect: bool = setting(
        False, "Do not redirect from the root to the app if there is only one.", Group.APPS)
    show_source: bool = setting(
        False, "Let the index show the source of each app's main file to everyone.", Group.APPS)
    threads: int = setting(
        64, "Most threads that run app code at once; 0 runs everything on the event loop as bokeh serve does.",
        Group.SESSIONS, metavar="N", least=0, most=4096)
    keep_alive_milliseconds: int = setting(
        37000, "Time between pings that keep a websocket open through proxies; 0 sends none.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--keep-alive", least=0)
    check_unused_sessions_milliseconds: int = setting(
        17000, "How often to look for sessions that nobody uses any more.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--check-unused-sessions", least=1)
    unused_session_lifetime_milliseconds: int = setting(
        15000, "How long a session without a connection is kept.", Group.SESSIONS,
        unit="ms", metavar="MS", flag="--unused-session-lifetime", least=1)
    no_collapse: bool = setting(
        False, "Run the callbacks of every change that a browser sends, also of those that waited while newer ones of "
        "the same control came in.", Group.SESSIONS)
    busy_sign: bool = setting(
        True, "Whether pages show that their app computes; with --no-busy-sign they do not.", Group.SESSIONS)
    allow_websocket_origin: tuple[str, ...] = setting(
        (), "Another host whose pages may connect; a page of the server itself always may. Can be given several "
        "times. * stands for any part of a name or for all; without a port it is 80. BOKEH_ALLOW_WS_ORIGIN replaces "
        "the whole list, given by flag or not.", Group.SECURITY,
        metavar="HOST[:PORT]", bokeh_environment="BOKEH_ALLOW_WS_ORIGIN", bokeh_wins=True, check=check_origin)
    session_token_expiration: int = setting(
        300, "How long the token in a page can create a session; a session that lives can be joined at any time.",
        Group.SECURITY, unit="s", metavar="S", least=1)
    max_sessions: int = setting(
        0, "Most sessions at once; whoever comes when there are as many is told so in words. 0 sets no limit.",
        Group.LIMITS, metavar="N", least=0)
    websocket_max_message_size: int = setting(
        20 * 1024 * 1024, "Largest message that is taken from a browser or client.", Group.LIMITS,
        unit="bytes", metavar="BYTES", least=1)
    log_level: str = setting(
        "info", "What to log: this and everything graver; None is info.", Group.LOG,
        metavar="LEVEL", bokeh_environment="BOKEH_PY_LOG_LEVEL", choices=LOG_LEVELS)
    log_format: str = setting(
        "%(asctime)s %(message)s", "How a line of the log looks, in the format of Python's logging, which may also "
        "name session, app, user, request_id and error_id.", Group.LOG, metavar="FORMAT", check=check_log_format)
    log_json: bool = setting(
        False, "Write the log as JSON, an object on each line; then --log-format does not count.", Group.LOG)
    log_file: str | None = setting(
        None, "File to write the log to instead of stderr.", Group.LOG, metavar="FILE")

    def __post_init__(self) -> None:
        validate(TABLE, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    @classmethod
    def load(cls, explicit: Mapping[str, Any], environ: Mapping[str, str], file: Path | None = None, *,
             flags: bool = False) -> Settings:
        """The settings from, strongest first: ``explicit`` (by name), ``environ``, the file (TOML), the defaults.

        ``flags`` says that ``explicit`` came from the command line; errors then name the option. Raises
        ``ConfigError``, one line: which setting, from where, what is wrong, what is allowed.
        """
        return cls(**gather(TABLE, explicit, environ, file, flags=flags))

    def replace(self, **values: Any) -> Settings:
        """These settings with some other values, by name. Raises ``ConfigError``, also for a name that is none."""
        return dataclasses.replace(self, **gather(TABLE, values, {}, None))


TABLE: tuple[Setting, ...] = tuple(Setting.of(field) for field in dataclasses.fields(Settings))
"""All settings, in the order of ``--help`` and of the docs."""
