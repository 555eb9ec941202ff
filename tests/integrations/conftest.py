"""Chromium for the tests of integrations."""

from tests.browser.conftest import chromium, new_tab, tab

__all__ = ["chromium", "new_tab", "tab"]
