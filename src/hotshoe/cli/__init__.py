"""The command line: ``hotshoe``."""

from .main import main

__all__ = ["main"]
