"""What every test of apps needs: files to load and documents to fill."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.app_files import Build, Write

from hotshoe import seams

if TYPE_CHECKING:
    from bokeh.document import Document

    from hotshoe.apps.app import App


@pytest.fixture(autouse=True)
def _paths() -> Iterator[None]:
    """``sys.path`` only grows while a server runs; a test gives back what it added."""
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write ``{relative name: content}`` into the test's folder, which it returns."""

    def write(files: dict[str, str | bytes]) -> Path:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


@pytest.fixture
def build() -> Iterator[Build]:
    """Build an app's document as a session does: ``curdoc()`` is the document."""
    documents = []

    def build(app: App) -> Document:
        document = seams.new_document()
        documents.append(document)
        with seams.document_context(document):
            app.build(document)
        return document

    yield build
    for document in documents:
        seams.dismantle(document, object())
