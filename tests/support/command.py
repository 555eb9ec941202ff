"""The `hotshoe` command as a real process whose two streams are read while it runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

RUNNING_AT = re.compile(r"Bokeh app running at: (http://\S+)")
PATIENCE_S = 90.0


@dataclass
class Command:
    process: subprocess.Popen[str]
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    readers: list[threading.Thread] = field(default_factory=list)

    def read(self, stream: IO[str], lines: list[str]) -> None:
        """Collect lines in a thread until the stream ends."""
        def collect() -> None:
            lines.extend(iter(stream.readline, ""))
        # extend appends what it gets one by one, so that others see each line at once.
        reader = threading.Thread(target=collect, daemon=True)
        reader.start()
        self.readers.append(reader)

    @property
    def log(self) -> str:
        return "".join(self.err)

    @property
    def output(self) -> str:
        return "".join(self.out)

    def urls(self) -> list[str]:
        return RUNNING_AT.findall(self.log)

    def wait_for(self, text: str) -> None:
        """Until one of the streams has it."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.log and text not in self.output:
            if self.process.poll() is not None:
                self.finish()
                assert text in self.log + self.output, f"ended ({self.process.returncode}) without it:\n{self.log}"
                return
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.log}{self.output}"
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self, timeout_s: float = PATIENCE_S) -> int:
        """The exit status, once both streams are read to their end."""
        status = self.process.wait(timeout_s)
        for reader in self.readers:
            reader.join(timeout_s)
        return status


@contextmanager
def hotshoe(*arguments: str, cwd: Path, environ: Mapping[str, str] | None = None) -> Iterator[Command]:
    """Runs `hotshoe ARGUMENTS`; killed at the end if it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("HOTSHOE_", "BOKEH_"))}
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from hotshoe.cli import main; sys.exit(main())", *arguments],
        cwd=cwd, env={**own, "BOKEH_BROWSER": "none", **(environ or {})}, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    command = Command(process)
    try:
        command.read(process.stdout, command.out)
        command.read(process.stderr, command.err)
        yield command
    finally:
        if process.poll() is None:
            process.kill()
        command.finish()
        process.stdout.close()
        process.stderr.close()
