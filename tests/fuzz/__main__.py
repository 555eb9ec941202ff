"""Fuzz the parsers for a time, or run one input again: ``python -m tests.fuzz --help``."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import traceback
import warnings
from pathlib import Path

from .driver import Finding, check, fuzz, shortened
from .registry import PARSERS

FINDINGS = Path("build/fuzz")


def main() -> int:
    options = _arguments()
    logging.disable(logging.CRITICAL)  # what parsers say of wrong inputs
    warnings.simplefilter("ignore")
    if options.replay:
        return _replay(options.parsers, options.replay)
    names = options.parsers or sorted(PARSERS)
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}, {options.seconds / len(names):.0f} s for each of {len(names)} parsers", flush=True)
    return sum(_fuzz(name, seed, options.seconds / len(names)) for name in names) and 1


def _fuzz(name: str, seed: int, seconds: float) -> int:
    try:
        count = fuzz(PARSERS[name], seed=seed, seconds=seconds)
    except Finding as finding:
        traceback.print_exception(finding.__cause__)
        FINDINGS.mkdir(parents=True, exist_ok=True)
        path = FINDINGS / f"{name}-{seed}"
        path.write_bytes(shortened(finding))
        print(f"{name}: FAILED; run it again: PYTHONPATH=src python -m tests.fuzz {name} --replay {path}\n"
              f"When it is mended, keep the file in tests/fuzz/corpus/{name} under a plain name.", flush=True)
        return 1
    print(f"{name}: {count.inputs} inputs, of which {count.new} reached something new; {count.results} different "
          f"results, {count.lines or 'uncounted'} lines", flush=True)
    return 0


def _replay(names: list[str], path: Path) -> int:
    if len(names) != 1:
        raise SystemExit("--replay needs the name of one parser")
    print(check(PARSERS[names[0]], path.read_bytes(), measured=True))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz hotshoe's parsers.")
    parser.add_argument("parsers", metavar="PARSER", nargs="*", choices=[[], *PARSERS],
                        help=f"all by default: {', '.join(sorted(PARSERS))}")
    parser.add_argument("--seconds", type=float, default=60, help="for all parsers together; 60 by default")
    parser.add_argument("--seed", type=int, help="random by default; equal seeds make equal inputs")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input of one parser")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
