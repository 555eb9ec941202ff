"""ASGI as plain values: scope keys, paths below a prefix, requests, responses. No I/O."""
