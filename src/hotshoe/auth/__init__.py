"""Who somebody is, and whether they may."""

from .provider import Endpoint, Provider
from .user import User

__all__ = ["Endpoint", "Provider", "User"]
