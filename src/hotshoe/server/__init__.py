"""The network server: sockets, HTTP and websocket protocols over uvicorn, TLS, limits, start and stop."""
