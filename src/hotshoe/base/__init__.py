"""The basis of all parts: errors, tracebacks, logs, counters, shared values, users, threads, addresses, files."""
