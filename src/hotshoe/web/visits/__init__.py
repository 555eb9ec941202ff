"""Pages, embed scripts and websockets of apps: from a request to its session."""
