"""``hotshoe doctor``: walks the path that a browser takes to an app, and says what is wrong and what to change.

Probes do the I/O and return observations (``walk``); what they mean (``checks``) and what to write into whose
configuration (``remedies``) is pure.
"""

from .examining import examine
from .findings import Advice, Finding, Hop, Remedy, Severity
from .kinds import Kind, Sighting
from .options import Options
from .report import Report, as_json
from .terminal import render

__all__ = ["Advice", "Finding", "Hop", "Kind", "Options", "Remedy", "Report", "Severity", "Sighting", "as_json",
           "examine", "render"]
