"""Files of Panel's components beside their modules, as Panel's server has them below ``/components/``.

A name is ``MODULE/CLASS/ATTRIBUTE/FILE`` and may come from a URL: nothing is imported, and Panel's own check decides
whether the class lists the file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ...base.files import refusal
from ...base.import_hooks import names_of


def component_source(name: str) -> Path | None:
    """The file of the module that a component's file belongs to; ``None`` if no app has imported such a component."""
    module, cls = _component(name)
    if module is None or cls is None or not (file := getattr(module, "__file__", None)):
        return None
    return Path(file)


def component_file(name: str) -> tuple[Path, str]:
    """The folder of the component's module, and the file's path in it. Blocks. Raises ``RequestError``."""
    source, handler = component_source(name), _handler()
    if source is None or handler is None:
        raise refusal(404)
    try:
        # Of its instance it reads only an attribute of the class.
        path = Path(handler.parse_url_path(handler, name))
        relative = path.relative_to(source.parent).as_posix()
    except Exception as error:  # Tornado's HTTPError, or one of the app's class
        raise refusal(403 if getattr(error, "status_code", 404) == 403 else 404) from None
    return source.parent, relative


def _component(name: str) -> tuple[ModuleType | None, type[Any] | None]:
    """The module and the class, if some code has imported them and Panel's classes are among its bases."""
    module_name, _, rest = name.partition("/")
    module = sys.modules.get(module_name)
    names = names_of(module)
    if module is None or names is None or _handler() is None:
        return None, None
    found = names.get(rest.partition("/")[0])
    if not isinstance(found, type) or found.__module__ != module_name:
        return None, None
    is_panels = any(base.__module__.partition(".")[0] == "panel" for base in found.__mro__[1:])
    return (module, found) if is_panels else (None, None)


def _handler() -> Any:
    """Panel's handler for these files, if Panel has been imported."""
    return getattr(sys.modules.get("panel.io.server"), "ComponentResourceHandler", None)
