.PHONY: demo test check lint bench peers docs clean

# Serve the examples on port 5006 (PORT=…).
demo:
	scripts/demo

# Every test, on every Python that is found (ARGS="-k name" goes to pytest).
test:
	scripts/system
	scripts/test $(ARGS)

# The tests without processes and browsers.
check:
	scripts/test -m "not real" $(ARGS)

lint:
	scripts/lint

# Compare the speed of hotshoe and bokeh serve (ARGS= goes to the benchmark).
bench:
	scripts/bench $(ARGS)

# Other projects' tests and example apps on hotshoe (PEERS= is the folder with their checkouts, ARGS= names some).
peers:
	scripts/peers $(PEERS) $(ARGS)

# Write the pages that are generated.
docs:
	"$$(scripts/setup --first)/bin/python" scripts/settings_docs.py

clean:
	rm -rf .venvs dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
