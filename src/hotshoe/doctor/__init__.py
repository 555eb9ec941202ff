"""``hotshoe doctor``: does what a browser does to show an app, and says what is wrong and how to fix it.

Probes do the I/O and return observations (``walk``). ``checks`` turn observations into findings, and ``remedies`` adds
lines for configurations; both are pure.
"""

from .bounds import DoctorOptions
from .bounds import DoctorOptions as Options
from .findings import DoctorReport, Finding, Hop, Remedy, Severity, as_json, render
from .products import Product, Sighting
from .walk import examine

__all__ = ["DoctorOptions", "DoctorReport", "Finding", "Hop", "Options", "Product", "Remedy", "Severity",
           "Sighting", "as_json", "examine", "render"]
