.PHONY: demo test test-all check lint bench fuzz peers docs clean

# Serve the examples on port 5006 (PORT=…).
demo:
	scripts/demo

# Every test, what touches bokeh with both versions of it, and lint (ARGS="-k name" goes to pytest).
test:
	scripts/test $(ARGS)

# Every test with both versions of bokeh, at full size: for nights and releases.
test-all:
	scripts/test all $(ARGS)

# The tests without processes and browsers, with the first Python.
check:
	scripts/test check $(ARGS)

lint:
	scripts/lint

# Compare the speed of hotshoe and bokeh serve (ARGS= goes to the benchmark).
bench:
	scripts/bench $(ARGS)

# Fuzz the parsers for so many seconds (ARGS= names some parsers).
SECONDS = 60
fuzz:
	scripts/fuzz --seconds $(SECONDS) $(ARGS)

# Other projects' tests and example apps on hotshoe (PEERS= is the folder with their checkouts, ARGS= names some).
peers:
	scripts/peers $(PEERS) $(ARGS)

# Write the pages that are generated, build all pages into a site, and print where it is.
docs:
	scripts/docs

clean:
	rm -rf .venvs dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
