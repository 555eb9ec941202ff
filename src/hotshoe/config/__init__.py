"""The settings: declared in one table, taken from flags, environment, file and defaults."""

from .setting import Group, Kind, Setting
from .settings import TABLE, Settings
from .sources import FILE_NAME, BokehFile, Given, gather, read_bokeh_file

__all__ = [
    "FILE_NAME",
    "TABLE",
    "BokehFile",
    "Given",
    "Group",
    "Kind",
    "Setting",
    "Settings",
    "gather",
    "read_bokeh_file",
]
