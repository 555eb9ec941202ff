"""Hosts: where sessions run."""

from ..apps import Target
from .host import AppInfo, Attachment, Host, Opened, OpenRequest, SessionInfo, Statistics
from .inline import InlineHost

__all__ = [
    "AppInfo",
    "Attachment",
    "Host",
    "InlineHost",
    "OpenRequest",
    "Opened",
    "SessionInfo",
    "Statistics",
    "Target",
]
