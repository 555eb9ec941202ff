"""``bokeh serve`` and ``hotshoe serve`` on the same apps, measured side by side. See README.md."""
