"""The settings: declared in one table, read from flags, environment variables, files and defaults."""

from .setting import Given, Group, Setting, apps_in, did_you_mean, read_switch, value_for
from .settings import TABLE, Settings
from .value_sources import FILE_NAME, BokehFile, SettingSources, read_bokeh_file

__all__ = [
    "FILE_NAME",
    "TABLE",
    "BokehFile",
    "Given",
    "Group",
    "Setting",
    "SettingSources",
    "Settings",
    "apps_in",
    "did_you_mean",
    "read_bokeh_file",
    "read_switch",
    "value_for",
]
