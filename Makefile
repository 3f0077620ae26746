# What a contributor does every day. Each target sets up what it needs: Python 3.11 or newer, git and make are enough,
# except for the bundle, which needs npm too.
help:
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

demo: .venv/installed ## show questions and their answers; all data is invented
	.venv/bin/liner-mcp demo

test: ## run every test, with the same line as the README and the CI
	python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/python -m pytest -q -n auto

# Many containers forbid bytecode; without it, each worker compiles every test module again in each run.
quick: .venv/installed ## run all tests but the slow ones
	PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -q -n auto -m "not slow"

lint: .venv/installed ## check the style and the format
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/installed ## check the types
	.venv/bin/pyright

bench: .venv/installed ## run the benchmarks
	.venv/bin/pip install -q -e '.[dev,bench]' && .venv/bin/python -m benchmarks

bundle: .venv/installed ## build dist/liner-mcp.mcpb, which Claude Desktop installs with a click
	bundle/build.sh

.venv/installed: pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install -q -e '.[dev]'
	touch .venv/installed

.PHONY: help demo test quick lint types bench bundle
