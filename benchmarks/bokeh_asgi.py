"""Serve apps with bokeh's own ``BokehASGI`` under uvicorn.

``python -m benchmarks.bokeh_asgi PORT UNUSED_MS CHECK_MS FILE...``; the milliseconds are those of unused sessions.
"""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn
from bokeh.server.asgi import BokehASGI  # type: ignore[import-not-found, unused-ignore]


def main(port: str, unused_ms: str, check_ms: str, *scripts: str) -> None:
    """Serve until the process is told to stop."""
    app = BokehASGI({f"/{Path(script).stem}": script for script in scripts},
                    unused_session_lifetime_milliseconds=int(unused_ms),
                    check_unused_sessions_milliseconds=int(check_ms))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="info", timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main(*sys.argv[1:])
