BIN := .venv/bin
PURE := src/bitproof/assets/compat.py,src/bitproof/assets/keep.py,src/bitproof/assets/matrix.py,src/bitproof/assets/pins.py,src/bitproof/caps/plan.py,src/bitproof/channel/backends/registry/artifacts.py,src/bitproof/channel/backends/registry/challenge.py,src/bitproof/channel/backends/registry/redirects.py,src/bitproof/channel/backends/tags.py,src/bitproof/channel/backends/urls.py,src/bitproof/channel/chunks/index.py,src/bitproof/channel/chunks/plan.py,src/bitproof/model/*,src/bitproof/proof/*,src/bitproof/trust/comment.py,src/bitproof/trust/ed25519.py,src/bitproof/trust/minisign.py,src/bitproof/trust/secret_key.py,src/bitproof/trust/signers.py,src/bitproof/trust/signing.py

.PHONY: help demo check test slow faults bench format clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-demo ## set everything up, then rebuild and prove the pinned product, and build, verify and boot the image
	PATH="$(CURDIR)/$(BIN):$$PATH" examples/pylon/demo
	PATH="$(CURDIR)/$(BIN):$$PATH" examples/microvm/demo

check: setup-check ## format, lint, types, layers, file sizes
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	scripts/check-sizes

test: setup-test ## set everything up, then run all tests but the slow ones; the pure rules need 100 % branch coverage
	$(BIN)/pytest -n auto --dist=loadgroup -m "not slow" --cov --cov-report=
	$(BIN)/coverage report --include='$(PURE)' --fail-under=100

faults: setup-test ## set everything up, then make every fault happen and write docs/faults.md
	$(BIN)/python -m tests.faults

slow: setup-slow ## set everything up, then run the tests that take minutes: kernels from source, other arches
	$(BIN)/pytest -v -m slow --durations=0

bench: setup-bench ## set everything up, then run the benchmarks
	PATH="$(CURDIR)/$(BIN):$$PATH" benchmarks/run

format: setup-check ## format the code and fix what ruff can fix
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean: ## remove what the other targets made, the built images too
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov
	rm -rf build dist examples/*/assets examples/*/build
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

setup-%:
	@scripts/setup $*
