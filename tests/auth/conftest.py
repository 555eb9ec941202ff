"""Sites whose visitors log in."""

from tests.support.front_site import make_site

__all__ = ["make_site"]
