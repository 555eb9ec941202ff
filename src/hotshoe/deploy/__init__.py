"""Configurations of proxies, service managers, containers and platforms for hotshoe, all made from one plan."""

from .plan import DeployOptions, Plan, TlsSource, make_plan
from .rendering import File, as_text, missing_requirements, render, write
from .targets import TARGETS, Target

__all__ = ["TARGETS", "DeployOptions", "File", "Plan", "Target", "TlsSource", "as_text", "make_plan",
           "missing_requirements", "render", "write"]
