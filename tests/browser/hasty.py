"""`hotshoe` that says after so many seconds, its first argument, that an app is starting."""

from __future__ import annotations

import sys

from hotshoe.cli import main
from hotshoe.web import starting

if __name__ == "__main__":
    starting.PATIENCE_S = float(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
