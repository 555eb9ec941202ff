"""Every private name of bokeh, every patch of bokeh, and every difference between bokeh versions.

No other part of hotshoe uses a private name of bokeh, so a new bokeh changes only this package. One use of bokeh's
server is bokeh's own: a ``Document`` makes its callbacks from classes in ``bokeh.server.callbacks``.
"""

from __future__ import annotations

import bokeh

from .applications import source_of_handler
from .changes import (
    PatchSerializer,
    apply_patch,
    changed_property,
    encode_document,
    encode_event,
    encode_late,
    known_ids,
    replace_document,
    value_event,
    was_known,
)
from .current import document_context, isolate_output, set_current_document
from .documents import (
    await_by,
    await_callbacks,
    bind_session_context,
    dismantle,
    held_changes,
    new_document,
)
from .ipywidgets import mend_ipywidgets
from .models import bundle_custom_model, custom_models_of, forget_models, python_callbacks
from .needs import needs_of, needs_of_document
from .warnings import leave_out_warnings, pace_log, tell_unawaited

await_callbacks()
leave_out_warnings()
pace_log()
mend_ipywidgets()
tell_unawaited()

BOKEH_VERSION: str = bokeh.__version__

__all__ = ["BOKEH_VERSION", "PatchSerializer", "apply_patch", "await_by", "bind_session_context", "bundle_custom_model",
           "changed_property", "custom_models_of", "dismantle", "document_context", "encode_document", "encode_event",
           "encode_late", "forget_models", "held_changes", "isolate_output", "known_ids", "needs_of",
           "needs_of_document", "new_document", "python_callbacks", "replace_document", "set_current_document",
           "source_of_handler", "value_event", "was_known"]
