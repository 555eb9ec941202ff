"""Hosts: where sessions run."""

from .host import AppInfo, Attachment, Host, OpenRequest, SessionInfo, Statistics
from .inline import InlineHost

__all__ = ["AppInfo", "Attachment", "Host", "InlineHost", "OpenRequest", "SessionInfo", "Statistics"]
