"""Write docs/settings.md from the table of settings; with --check, only say whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from hotshoe.config import FILE_NAME, TABLE, Group, Kind, Setting

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

INTRODUCTION = f"""\
# Settings

*Made by `make docs` from `src/hotshoe/config/settings.py`.*

A setting has a flag of `hotshoe serve`, environment variables, a key in `{FILE_NAME}` and a name as argument of
`hotshoe.Server` and `hotshoe.asgi`. The first of these that is given counts, in this order:

1. the flag, or the argument
2. a key of bokeh's in the YAML file that `--use-config` names, where bokeh has the setting
3. its `HOTSHOE_…` variable
4. its `BOKEH_…` variable, where it has one
5. `{FILE_NAME}` in the current directory, or the file that `--config` names
6. a key of bokeh's in `~/.bokeh/bokeh.yaml`
7. for the port `PORT`, which platforms set
8. the default

A variable that is empty counts as not given. In variables, a switch is `yes` or `no` (also `true`, `on`, `1`,
`false`, `off`, `0`), and a list is separated by commas. A wrong value ends the start with one line that says which
setting it is, where it stands and what it can be.

```toml
# {FILE_NAME}
port = 80
allow-websocket-origin = ["example.org"]
```
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *map(chapter, Group)])


def chapter(group: Group) -> str:
    """What the page says of the settings of one group."""
    rows = [row for row in TABLE if row.declaration.group is group]
    return "\n".join([f"## {group.value.capitalize()}\n", *map(section, rows)])


def section(row: Setting) -> str:
    """What the page says of one setting."""
    option = row.flag if row.declaration.metavar is None else f"{row.flag} {row.declaration.metavar}"
    rows = {
        "flag": _code(option) if row.has_option else "none: it is a secret",
        "variables": ", ".join(map(_code, row.environment)),
        "key": _code(row.key),
        "argument": _code(row.name),
        "value": row.allowed,
        "default": default(row),
    }
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    return f"### {row.key}\n\n{row.declaration.help}\n\n| | |\n| --- | --- |\n{table}\n"


def default(row: Setting) -> str:
    """The default in words."""
    match row.kind:
        case Kind.SWITCH:
            return "yes" if row.default else "no"
        case Kind.TEXTS:
            return ", ".join(map(_code, row.default)) or "none"
        case _:
            return "none" if row.default in (None, "") else _code(str(row.default))


def _code(text: str) -> str:
    return f"`{text}`"


def main() -> int:
    """Write the page, or compare it."""
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"{PAGE} is not what the settings say: run `make docs`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
