"""Authentication (who the user is) and authorization (which apps a user may open)."""

from ..base.users import User
from .provider import Endpoint, Provider

__all__ = ["Endpoint", "Provider", "User"]
