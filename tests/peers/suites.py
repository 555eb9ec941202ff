"""Other projects' own tests of a running server, with hotshoe in its place: bokeh's (a checkout), Panel's (its wheel).

    python -m tests.peers.suites FOLDER [NAME...]

FOLDER holds a checkout of bokeh, as `bokeh`. What is known not to pass stands in expected.py, with the reason; anything
else that fails, and what passes against that, is a surprise: then the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.peers.expected import BOKEH, PANEL, Shortfall, find

HERE = Path(__file__).parent
FILE_TIMEOUT_S = 1800
TEST_TIMEOUT_S = 120

_USES_SERVER = re.compile(r"\b(?:ManagedServerLoop|run_bokeh_serve)\b")


@dataclass(frozen=True, slots=True)
class Suite:
    """Test files that run alike; each in a process of its own, since those that fail leave much behind."""

    project: str
    plugin: str
    root: Path
    files: tuple[Path, ...]
    shortfalls: Sequence[Shortfall]

    @property
    def version(self) -> str:
        """The version that is installed, whose server is replaced."""
        return importlib.metadata.version(self.project)


def bokeh_suite(checkout: Path) -> Suite:
    """The tests of a checkout that use nothing but a server."""
    files = sorted(path for path in (checkout / "tests/unit").rglob("test_*.py")
                   if _USES_SERVER.search(path.read_text(encoding="utf-8")))
    return Suite("bokeh", "stock_suite", checkout, tuple(files), BOKEH)


def panel_suite() -> Suite:
    """What Panel's wheel carries."""
    found = importlib.util.find_spec("panel")
    assert found is not None
    assert found.origin is not None
    root = Path(found.origin).parent / "tests"
    return Suite("panel", "panel_suite", root, (root / "test_server.py",), PANEL)


def run(suite: Suite, names: Sequence[str]) -> dict[str, str]:
    """The outcomes (passed, failed, skipped) by test. ``names``: nothing but these, ``file.py::test``."""
    with tempfile.TemporaryDirectory() as folder:
        report, log = Path(folder) / "report.xml", Path(folder) / "log"
        options = ["-q", "-p", "no:cacheprovider", "-p", suite.plugin, "-c", os.devnull, f"--rootdir={suite.root}",
                   "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function",
                   f"--timeout={TEST_TIMEOUT_S}", f"--junitxml={report}", "--tb=short"]
        path = os.pathsep.join([str(HERE), str(suite.root)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        with log.open("wb") as output, subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, *names], cwd=folder, env=environment, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                process.wait(FILE_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                print(f"    did not end within {FILE_TIMEOUT_S} s")
            finally:
                _kill(process)
        if not report.exists():
            print(log.read_text(errors="replace")[-3000:])
            return {}
        return dict(_outcomes(ET.parse(report).getroot()))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it with all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _outcomes(report: ET.Element) -> Iterator[tuple[str, str]]:
    for case in report.iter("testcase"):
        place = case.get("classname", "").split(".")
        file = next(index for index, part in enumerate(place) if part.startswith("test_"))
        name = "::".join([f"{place[file]}.py", *place[file + 1:], case.get("name", "")])
        found = {child.tag for child in case}
        yield name, "failed" if found & {"failure", "error"} else "skipped" if "skipped" in found else "passed"


def surprises(suite: Suite, outcomes: Mapping[str, str]) -> list[str]:
    """The tests whose outcome is not what expected.py says."""
    found = []
    for name, outcome in outcomes.items():
        known = find(suite.shortfalls, name, suite.version)
        odd = outcome == "failed" if known is None else outcome == "passed" and not known.unsteady
        if odd:
            found.append(name)
    return found


def attend(suite: Suite) -> bool:
    """Run a suite, print what came of it. Whether all is as expected."""
    outcomes: dict[str, str] = {}
    for file in suite.files:
        print(f"{suite.project} {suite.version}: {file.relative_to(suite.root)}", flush=True)
        found = run(suite, [str(file)])
        if not found:
            print("    WORSE: no outcome")
            return False
        again = [name for name in surprises(suite, found) if found[name] == "failed"]
        if again:
            # The tests of others have short patience: a loaded machine is no reason.
            found |= run(suite, [str(file) + name.removeprefix(file.name) for name in again])
        outcomes |= found
    odd = surprises(suite, outcomes)
    counts = Counter(outcomes.values())
    expected = [name for name, outcome in outcomes.items() if outcome == "failed" and name not in odd]
    reasons = Counter(known.reason for name in expected if (known := find(suite.shortfalls, name, suite.version)))
    print(f"{suite.project} {suite.version}: {counts['passed']} passed, {counts['skipped']} skipped, "
          f"{len(expected)} fail as expected:")
    for reason, count in reasons.most_common():
        print(f"    {count:3} {reason}")
    for name in odd:
        print(f"    {'WORSE' if outcomes[name] == 'failed' else 'BETTER'}: {name} {outcomes[name]}")
    return not odd


def main() -> int:
    """Run all; 1 if there are surprises."""
    parser = argparse.ArgumentParser(prog="make peers", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds the checkout of bokeh")
    parser.add_argument("names", nargs="*", help="some of the files, say test_serve.py (default: all)")
    arguments = parser.parse_args()
    checkout = arguments.folder.resolve() / "bokeh"
    if not (checkout / "tests/unit").is_dir():
        parser.error(f"{checkout} is no checkout of bokeh: give the folder that holds one")
    suites = (bokeh_suite(checkout), panel_suite())
    known = {file.name for suite in suites for file in suite.files}
    if unknown := set(arguments.names) - known:
        parser.error(f"{', '.join(sorted(unknown))}: there are {', '.join(sorted(known))}")
    ok = True
    for suite in suites:
        files = tuple(file for file in suite.files if not arguments.names or file.name in arguments.names)
        if files:
            ok &= attend(replace(suite, files=files))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
