"""Every private bokeh name, every patch of bokeh, and every difference between bokeh versions.

Nothing else in hotshoe names an underscore of bokeh; when bokeh moves, this is the package that moves with it.
Here is tolerated, though not asked for, that a `Document` builds its callbacks of classes in `bokeh.server.callbacks`.
"""

from __future__ import annotations

import bokeh

from ..needs import needs_of
from .changes import Decode, apply_patch, changed_property, decoder_for, replace_document, value_event
from .current import DocumentLike, document_context, set_current_document, unlocked_proxy
from .documents import (
    ChangeReceiver,
    HoldingCallbackManager,
    bind_session_context,
    dismantle,
    held_changes,
    new_document,
    trigger_connection_lost,
)
from .encoding import LateSerializer, PatchSerializer, encode_document, encode_event, encode_late, known_ids, was_known
from .models import bundle_custom_model, custom_models_of, forget_models, python_callbacks
from .output import AppRun, isolate_output

BOKEH_VERSION: str = bokeh.__version__

__all__ = [
    "BOKEH_VERSION",
    "AppRun",
    "ChangeReceiver",
    "Decode",
    "DocumentLike",
    "HoldingCallbackManager",
    "LateSerializer",
    "PatchSerializer",
    "apply_patch",
    "bind_session_context",
    "bundle_custom_model",
    "changed_property",
    "custom_models_of",
    "decoder_for",
    "dismantle",
    "document_context",
    "encode_document",
    "encode_event",
    "encode_late",
    "forget_models",
    "held_changes",
    "isolate_output",
    "known_ids",
    "needs_of",
    "new_document",
    "python_callbacks",
    "replace_document",
    "set_current_document",
    "trigger_connection_lost",
    "unlocked_proxy",
    "value_event",
    "was_known",
]
