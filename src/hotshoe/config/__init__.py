"""The settings: declared in one table, taken from flags, environment, file and defaults."""

from .setting import Group, Kind, Setting
from .settings import TABLE, Settings
from .sources import FILE_NAME, BokehFile

__all__ = ["FILE_NAME", "TABLE", "BokehFile", "Group", "Kind", "Setting", "Settings"]
