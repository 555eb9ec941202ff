"""Configurations for what stands around hotshoe: proxies, service managers, containers, platforms. One plan for all."""

from .plan import Plan, Tls, Wishes, make_plan
from .rendering import File, render
from .targets import TARGETS, Target
from .writing import as_text, lacking, write

__all__ = ["TARGETS", "File", "Plan", "Target", "Tls", "Wishes", "as_text", "lacking", "make_plan", "render", "write"]
