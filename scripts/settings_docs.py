"""Write docs/settings.md from the table of settings; with --check, only say whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from hotshoe.config import FILE_NAME, TABLE, Group, Setting

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

INTRODUCTION = f"""\
# Settings

*Made by `make docs` from `src/hotshoe/config/settings.py`.*

Each setting has a flag of `hotshoe serve`, environment variables, a key in `{FILE_NAME}`, and a name as an argument of
`hotshoe.Server` and `hotshoe.asgi`. The first of these sources that has a value wins:

1. the flag, or the argument
2. bokeh's key in the YAML file that `--use-config` names, if bokeh has the setting
3. its `HOTSHOE_…` variable
4. its `BOKEH_…` variable, if it has one
5. `{FILE_NAME}` in the current directory, or the file that `--config` names
6. bokeh's key in `~/.bokeh/bokeh.yaml`
7. for the port `PORT`, which platforms set
8. the default

An empty variable counts as not set. In variables, a switch is `yes` or `no` (also `true`, `on`, `1`, `false`, `off`,
`0`), and a list is separated by commas. A wrong value is an error at startup: one line names the setting, the source of
the value, and the values that are allowed.

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
    rows = [row for row in TABLE if row.doc.group is group]
    return "\n".join([f"## {group.value.capitalize()}\n", *map(section, rows)])


def section(row: Setting) -> str:
    """What the page says of one setting."""
    flag = _code(row.usage) + ", once for each value" * row.is_repeatable
    rows = {
        "flag": flag if row.has_option else "none, because it is a secret",
        "variables": ", ".join(map(_code, row.environment)),
        "key": _code(row.key),
        "argument": _code(row.name),
        "value": row.allowed,
        "default": default(row),
    }
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    return f"### {row.key}\n\n{row.doc.help}\n\n| | |\n| --- | --- |\n{table}\n"


def default(row: Setting) -> str:
    """The default in words."""
    if row.is_switch:
        return "yes" if row.default else "no"
    return "none" if row.default in (None, "", ()) else _code(str(row.default))


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
