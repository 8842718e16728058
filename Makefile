# Every job of the project. On a fresh machine with Python >= 3.11, a C++ compiler and make, each of them works
# at once: the environment (.venv) is made on first use and brought up to date when sources of the compiled
# core or the project file change.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= 2
BENCH ?= codecs
RUNS ?= 100000
DECODERS ?= $(patsubst native/fuzz/fuzz_%.cpp,%,$(sort $(wildcard native/fuzz/fuzz_*.cpp)))
NATIVE := $(shell find native -name '*.cpp' -o -name '*.hpp' -o -name '*.h')
CHECKED := src tests examples $(wildcard benchmarks)

# The first interpreter that is new enough; give another with make PYTHON=/path/to/python.
PYTHON ?= $(shell for candidate in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$candidate" && break; done)

.PHONY: help system-deps demo test test-quick test-all check native-test fuzz check-arm64 fmt bench conformance test-clients build clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Only where it can: on Debian or Ubuntu, as root. Elsewhere the tests that need a browser say that they are skipped.
system-deps:  ## Chromium, for the tests of the page in a browser
	@if command -v chromium >/dev/null || command -v google-chrome >/dev/null; then :; \
	elif command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; \
	else echo "No browser was installed: that takes apt-get and root. Install Chromium to run the page's browser tests." >&2; fi

demo: $(STAMP)  ## put a family of small models into a store, and get one back byte for byte
	@$(BIN)/python examples/demo.py

test: test-quick  ## the tests: the quick ones, then real clients, a browser, every route, every kill
	$(BIN)/pytest -n $(JOBS) -m "wide and not slow and not weights" $(ARGS)

test-quick: $(STAMP)  ## the tests that need neither clients nor a browser, under two minutes
	$(BIN)/pytest -n $(JOBS) -m "not wide and not slow and not weights" $(ARGS)

test-all: $(STAMP)  ## the slow tests too
	$(BIN)/pytest -n $(JOBS) $(ARGS)

check: $(STAMP)  ## lint, format, types, import rules, style and documentation
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/style tests/docs

native-test: | $(BIN)/ctest  ## the kernels' own tests on every vector path, with sanitizers
	$(BIN)/cmake -S . -B build/native -DTENSORHUB_NATIVE_TESTS=ON
	$(BIN)/cmake --build build/native -j $(JOBS)
	$(BIN)/ctest --test-dir build/native --output-on-failure

# With clang, libFuzzer looks for inputs that reach new branches, and keeps them in build/fuzz/corpus; else random ones.
fuzz: | $(BIN)/ctest  ## fuzz every decoder with sanitizers: make fuzz RUNS=10000000 DECODERS="joint streams"
	$(BIN)/cmake -S . -B build/fuzz -DTENSORHUB_NATIVE_TESTS=ON $$(command -v clang++ >/dev/null && echo -DCMAKE_CXX_COMPILER=clang++)
	$(BIN)/cmake --build build/fuzz -j $(JOBS)
	@for decoder in $(DECODERS); do echo "fuzzing $$decoder, $(RUNS) runs"; \
		if [ -x build/fuzz/libfuzzer_$$decoder ]; then mkdir -p build/fuzz/corpus/$$decoder; \
			build/fuzz/libfuzzer_$$decoder -runs=$(RUNS) -len_control=0 -max_len=1000 -entropic_scale_per_exec_time=1 \
				-verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/$$decoder- build/fuzz/corpus/$$decoder; \
		else build/fuzz/fuzz_$$decoder $(RUNS); fi; done

# Under emulation the sanitizers work as they do elsewhere, except for the search for leaks.
check-arm64:  ## the kernels' own tests for ARM (AArch64), cross-compiled and emulated; part of no other target
	@for tool in cmake aarch64-linux-gnu-g++ qemu-aarch64; do command -v $$tool >/dev/null || { \
		echo "check-arm64 needs $$tool, which is not here. On Debian or Ubuntu: apt-get install cmake" \
		     "g++-aarch64-linux-gnu qemu-user" >&2; exit 1; }; done
	cmake -S . -B build/arm64 -DTENSORHUB_NATIVE_TESTS=ON -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
		-DCMAKE_CROSSCOMPILING_EMULATOR="qemu-aarch64;-L;/usr/aarch64-linux-gnu"
	cmake --build build/arm64 -j $(JOBS)
	ASAN_OPTIONS=detect_leaks=0 ctest --test-dir build/arm64 --output-on-failure

fmt: $(STAMP)  ## format the Python code
	$(BIN)/ruff check --fix $(CHECKED)
	$(BIN)/ruff format $(CHECKED)

bench: $(STAMP)  ## run a benchmark: codecs, or make bench BENCH="lineage index"; one module of benchmarks/ each
	$(BIN)/python -m benchmarks.$(BENCH)

conformance: $(STAMP)  ## the Hugging Face client's own tests against our hub: make conformance ARGS="-k upload --show"
	$(BIN)/python -m tests.conformance_hf.run $(ARGS)

# Other clients live in environments of their own below build/; PyTorch makes the second one large.
test-clients: $(STAMP)  ## earlier clients, transformers, diffusers and datasets against our hub
	for release in 0.36.2 1.9.2 1.33.0; do "$(PYTHON)" -m venv build/clients/$$release && \
		build/clients/$$release/bin/pip install --quiet huggingface_hub==$$release; done
	"$(PYTHON)" -m venv build/clients/libraries && build/clients/libraries/bin/pip install --quiet torch==2.13.0 \
		transformers diffusers datasets
	TENSORHUB_OLD_CLIENTS=build/clients TENSORHUB_LIBRARIES_PYTHON=$(CURDIR)/build/clients/libraries/bin/python \
		$(BIN)/pytest tests/hub/clients/test_client_others.py $(ARGS)

build: $(STAMP)  ## a wheel in dist/
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:  ## remove what was built, and the environment
	rm -rf build dist $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		echo "TensorHub needs Python 3.11 or newer; '$(PYTHON)' is none." >&2; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2; exit 1; fi
	@if ! command -v "$${CXX:-c++}" >/dev/null; then \
		echo "TensorHub needs a C++20 compiler; found no $${CXX:-c++}. Install g++ or clang++, or set CXX." >&2; exit 1; fi
	@"$(PYTHON)" -c 'import os, sys, sysconfig as s; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' || { \
		echo "$(PYTHON) has no headers (Python.h); install python3-dev or python3-devel." >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)

$(BIN)/ctest: | $(VENV)/bin/python
	$(BIN)/pip install --quiet cmake

# The build's own needs are installed first, so that the core is compiled once, in place, and next time only
# what changed is compiled again.
$(STAMP): $(VENV)/bin/python pyproject.toml CMakeLists.txt $(NATIVE)
	$(BIN)/pip install --quiet cmake ninja $$($(BIN)/python -c 'import tomllib; \
		print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])')
	$(BIN)/pip install --quiet --no-build-isolation --editable '.[dev]'
	@touch $@
