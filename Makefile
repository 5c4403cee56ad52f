# The commands of this checkout. All that they set up is in .venv/ and build/.

PYTHON ?= python3
VENV ?= .venv
PREFIX ?= /usr/local
# CI makes warnings errors.
WERROR ?= $(if $(CI),yes,no)
# SETUP=no installs nothing, and names what is missing.
export SETUP ?= yes

MAKEFLAGS += --no-print-directory
SET_UP = $(PYTHON) tools/setup.py
STEP = $(PYTHON) $(CURDIR)/tools/step.py
# Programs of the virtual environment come first; nothing is activated.
IN_VENV = PATH="$(abspath $(VENV))/bin:$$PATH"
VPYTHON = $(VENV)/bin/python
MESON = $(IN_VENV) meson
NINJA = $(IN_VENV) ninja
SOURCES := $(shell find include src python -type f -not -name '*.pyc') \
    meson.build meson_options.txt pyproject.toml
EXTENSION = $(VENV)/.ready-extension
# Time limits are for an idle machine.
C_TEST = $(MESON) test --print-errorlogs --timeout-multiplier 3 -C
# Tests in parallel, one process for each processor.
PYTEST = $(VPYTHON) -m pytest -q -n auto
PYTHON_TESTS = tests/python tests/compat tests/tools

# The virtual environment and apt-get serve one command at a time. Ninja runs in parallel anyway.
.NOTPARALLEL:
ifneq ($(words $(CURDIR)),1)
$(error the path of this checkout has a space, which make cannot handle: $(CURDIR))
endif

.PHONY: help demo install uninstall test test-c test-python lint format amalgamation clean \
    test-all test-consumers test-unity test-user test-interpreters test-free-threading test-asan test-valgrind \
    test-mremap test-fault test-model test-mutants test-tsan test-processors test-windows test-systems \
    test-bench fuzz fuzz-extension fuzz-differences coverage bench bench-record bench-calls \
    bench-calls-here bench-many bench-pairs bench-stalls FORCE

# `make help` prints the lines of this file that begin with "##@", "#:" or have "##".
help: ## | list the commands
	@awk -f tools/help.awk Makefile

# ---- setting up ------------------------------------------------------------------------------

# tools/setup.py writes these files, and only if something changed.
$(VENV)/.ready-build: FORCE
	@$(SET_UP) ready $(VENV) build

$(VENV)/.ready-test: FORCE
	@$(SET_UP) ready $(VENV) build test

$(VENV)/.ready-lint: FORCE
	@$(SET_UP) ready $(VENV) build test lint

$(VENV)/.ready-bench: FORCE
	@$(SET_UP) ready $(VENV) build test bench

$(VENV)/.ready-systems: FORCE
	@$(SET_UP) ready $(VENV) build systems

$(EXTENSION): $(VENV)/.ready-build $(SOURCES)
	@$(IN_VENV) $(STEP) "building the extension into $(VENV)" $(VPYTHON) -m pip \
	    --disable-pip-version-check install --no-build-isolation --no-deps --force-reinstall \
	    -Cbuild-dir=$(VENV)/build-extension \
	    $(if $(filter yes,$(WERROR)),-Csetup-args=--native-file=$(CURDIR)/machines/werror.ini) .
	@touch $@

# machines/NAME.ini configures build/NAME. It is a cross file if it describes a host machine.
FILES = $*
KIND = $(if $(shell grep '^\[host_machine\]' machines/$*.ini),cross,native)
CONFIGURE = $(STEP) "configuring build/$*" meson setup . $(CURDIR) \
    $(foreach file,$(FILES) $(if $(filter yes,$(WERROR)),werror),--$(KIND)-file=$(CURDIR)/machines/$(file).ini)
# From inside the folder: some compilers leave files in the working directory when Meson probes them.
build/%/build.ninja: machines/%.ini $(VENV)/.ready-build meson_options.txt
	@rm -rf build/$* && mkdir -p build/$*
	@cd build/$* && $(IN_VENV) $(CONFIGURE)

##@ Use

demo: $(EXTENSION) build/demo/build.ninja ## 1 min | build the library and the package, and run the examples
	@$(NINJA) -C build/demo
	@rm -rf build/demo/scratch && mkdir -p build/demo/scratch
	@cd build/demo/scratch && for example in hello anonymous tag; do \
	    echo; echo "== examples/$$example.c"; ../examples/$$example || exit 1; \
	    echo; echo "== examples/$$example.py"; \
	    $(abspath $(VPYTHON)) $(CURDIR)/examples/$$example.py || exit 1; done
	@cd build/demo/scratch && for example in lost_page walk; do \
	    echo; echo "== examples/$$example.py"; \
	    $(abspath $(VPYTHON)) $(CURDIR)/examples/$$example.py || exit 1; done

install: ## 30 s | install the C library, with the system's Meson if it has one
	@$(SET_UP) system compiler
	@$(PYTHON) tools/install.py install $(PREFIX) "$(DESTDIR)" $(VENV)

uninstall: ## 10 s | remove what `make install` with the same PREFIX and DESTDIR installed
	@$(PYTHON) tools/install.py uninstall $(PREFIX) "$(DESTDIR)" $(VENV)

amalgamation: ## 1 s | write build/amalgamation/: the library as one source and its headers
	@$(PYTHON) tools/amalgamate.py build/amalgamation

clean: ## 1 s | remove .venv/, build/ and dist/
	rm -rf .venv build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

#: PREFIX=/usr/local  where to install
#: DESTDIR=           a staging folder, put before PREFIX

##@ Develop

test: test-c test-python ## 3 min | run the tests: of the C library, then of the Python package

test-c: $(VENV)/.ready-test build/c/build.ninja ## 2 min | run the tests of the C library
	@$(C_TEST) build/c $(C_TEST_ARGS)

test-python: $(VENV)/.ready-test $(EXTENSION) ## 1 min | run the tests of the Python package
	@$(PYTEST) $(PYTHON_TESTS) $(PYTEST_ARGS)

C_FILES = $(shell find include src python/ext tests/api tests/calls tests/fault tests/model tests/unit tests/windows machines examples bench \
    -name '*.[ch]')
# What this machine compiles: not what is for other systems and processors.
TIDY_FILES = $(shell find src python/ext -name '*.c' -not -path 'src/platform/windows/*' \
    -not -path 'src/search/neon.c' -not -path 'src/search/aarch64.c' -not -path 'src/search/any.c')
# src/platform/windows is checked with the headers of mingw-w64 if they are installed.
WINDOWS_HEADERS = /usr/share/mingw-w64/include
WINDOWS_FLAGS = --target=x86_64-w64-windows-gnu -std=c17 -Iinclude -Isrc -D_UCRT \
    -DIRONMAP_STATIC -isystem $(WINDOWS_HEADERS)

lint: $(VENV)/.ready-lint build/lint/build.ninja $(EXTENSION) ## 2 min | check style, types and the floors of the architecture
	@$(PYTHON) tools/check_floors.py
	@$(IN_VENV) ruff check --quiet
	@$(IN_VENV) ruff format --check --quiet
	@$(IN_VENV) clang-format --dry-run -Werror $(C_FILES)
	@$(IN_VENV) mypy
	@echo "clang-tidy, one file at a time"
	@$(PYTHON) tools/tidy_commands.py build/lint build/lint/tidy
	@printf '%s\n' $(TIDY_FILES) | $(IN_VENV) xargs -I FILE -P 2 sh -c 'echo "  FILE"; \
	    clang-tidy -p build/lint/tidy --quiet --extra-arg=-Wno-unknown-warning-option FILE'
	@if [ -d $(WINDOWS_HEADERS) ]; then find src/platform/windows -name '*.c' | $(IN_VENV) xargs -I FILE -P 2 \
	    sh -c 'echo "  FILE"; clang-tidy FILE --quiet -- $(WINDOWS_FLAGS)'; \
	    else echo "skipped: clang-tidy for Windows, which needs the headers of mingw-w64"; fi
	@echo "lint: no problem found"

format: $(VENV)/.ready-lint ## 5 s | format the C and the Python code
	@$(IN_VENV) ruff check --fix --quiet || true
	@$(IN_VENV) ruff format --quiet
	@$(IN_VENV) clang-format -i $(C_FILES)

#: PYTEST_ARGS="-k resize"     which Python tests to run
#: PYTHON=python3.12 VENV=build/venv-3.12   another interpreter
#: CC=clang CXX=clang++        another compiler, after `make clean`
#: SETUP=no                    install nothing, and name what is missing
#: CI=true                     warnings are errors

##@ Test everything

test-all: ## 60 min | run `make test` and all of this group and of other systems
	@$(MAKE) test test-consumers test-unity test-user test-bench test-mremap test-valgrind test-asan \
	    test-fault test-model test-tsan fuzz fuzz-differences coverage test-processors test-windows test-systems \
	    test-interpreters test-free-threading

test-consumers: $(VENV)/.ready-test build/c/build.ninja ## 1 min | build programs with pkg-config, Meson and CMake, and the amalgamation
	@$(SET_UP) system consumers || echo "skipped: the tests with what is missing"
	@$(C_TEST) build/c --suite consumers

test-unity: $(VENV)/.ready-test build/unity/build.ninja ## 2 min | run the C tests with the library as one translation unit
	@$(C_TEST) build/unity --suite unit $(if $(QUICK),,--suite fault)

test-user: ## 3 min | run `make test` in a copy as the user nobody, if this is root
	@$(PYTHON) tools/as_user.py make test C_TEST_ARGS="$(ONLY_LIBRARY)"

# What does not depend on how the library is built, or on the user.
ONLY_LIBRARY = --no-suite consumers --no-suite tools

# QUICK=yes: all tests with the oldest and the newest, and these with those in the middle; none with
# $(PYTHON), which `make test` runs.
SHORT_TESTS = -k "not benchmark and not fault and not kill and not large and not leaks and not state_machine and not stubs"
# A debug build counts references, and checks what C code does. Not all packages run with it.
DEBUG_TESTS = $(foreach name,leaks reentrancy lifecycle interrupt queue fault_error subinterpreters,tests/python/test_$(name).py)
test-interpreters: ## 2 min each | run the Python tests with every CPython that is found
	@$(SET_UP) system interpreters || echo "skipped: the Python tests with a debug build"
	@mkdir -p build && $(PYTHON) tools/interpreters.py >build/interpreters
	@failed=; while read -r name part path; do \
	    if [ "$(QUICK)" = yes ] && [ "$$path" = "$$($(PYTHON) -c 'import os, sys; print(os.path.realpath(sys.executable))')" ]; then continue; fi; \
	    echo "== CPython $$name: $$path"; \
	    if [ "$(QUICK)$$part" = yesmiddle ]; then args='$(SHORT_TESTS)'; else args='$(PYTEST_ARGS)'; fi; \
	    if [ "$$part" = debug ]; then tests='$(DEBUG_TESTS)'; else tests='$(PYTHON_TESTS)'; fi; \
	    $(MAKE) test-python PYTHON="$$path" VENV="build/venv-$$name" PYTHON_TESTS="$$tests" PYTEST_ARGS="$$args" </dev/null || \
	        failed="$$failed $$name"; \
	    done <build/interpreters; \
	    if [ -n "$$failed" ]; then echo "failed with CPython$$failed"; exit 1; fi

# A build of CPython without the GIL, made of Debian's source: see the head of tools/free_threading.py.
FREE_THREADED ?= 3.13
STRESS_SECONDS ?= 60
test-free-threading: $(VENV)/.ready-build ## 30 min | run the Python tests on CPython without the GIL, and a stress
	@for version in $(FREE_THREADED); do \
	    $(IN_VENV) $(PYTHON) tools/free_threading.py --version $$version --seconds $(STRESS_SECONDS) \
	        $(PYTEST_ARGS) || exit 1; done

test-mremap: $(VENV)/.ready-test build/mremap/build.ninja ## 2 min | run the C tests as on a system without mremap
	@$(C_TEST) build/mremap $(ONLY_LIBRARY)

# The fault tests that run with tools that have signal handlers and limits of their own.
LOSSES = damage truncation fault_threads
test-valgrind: $(VENV)/.ready-test build/c/build.ninja ## 10 min | run the C tests under valgrind
	@if $(SET_UP) system valgrind; then $(C_TEST) build/c --setup valgrind --no-suite tools --no-suite consumers --no-suite fault && \
	    $(C_TEST) build/c --setup valgrind $(LOSSES); \
	    else echo "skipped: the C tests under valgrind"; fi

SANITIZERS = $(foreach name,asan ubsan,$(shell $(or $(CC),cc) -print-file-name=lib$(name).so))
ASAN_PACKAGES = $(CURDIR)/build/asan/root/packages
test-asan: export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
# Tests ask for memory that no machine has.
test-asan: export ASAN_OPTIONS = abort_on_error=1:allocator_may_return_null=1
test-asan: $(VENV)/.ready-test build/asan/build.ninja ## 5 min | run all tests with the address and undefined-behaviour sanitizers
	@$(C_TEST) build/asan --no-suite tools --no-suite consumers --no-suite fault
	@$(C_TEST) build/asan $(LOSSES)
	@$(MESON) install -C build/asan --quiet --tags python-runtime --destdir $(CURDIR)/build/asan/root
	@LD_PRELOAD="$(SANITIZERS)" PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONPATH=$(ASAN_PACKAGES) \
	    $(PYTEST) tests/python tests/compat $(if $(QUICK),-k "not leak") $(PYTEST_ARGS)

# Thousands of rounds and a minute of threads, instead of a few.
# CI has less time: QUICK=yes.
LONG = IRONMAP_FAULT_ROUNDS=$(if $(QUICK),1000,20000) IRONMAP_FAULT_SECONDS=$(if $(QUICK),10,60)
test-fault: $(VENV)/.ready-test build/c/build.ninja ## 10 min | lose pages in every way, thousands of times
	@$(SET_UP) system fault || echo "skipped: the fault tests with FUSE"
	@$(LONG) $(C_TEST) build/c --suite fault --timeout-multiplier 10

# Seconds of each race; operations and lost pages of the model, on each file system.
MODEL_SECONDS ?= 60
MODEL_OPERATIONS ?= 1000000
MODEL_LOSSES ?= 1000000
MODEL = IRONMAP_MODEL_OPERATIONS=$(MODEL_OPERATIONS) IRONMAP_MODEL_LOSSES=$(MODEL_LOSSES)
test-model: $(VENV)/.ready-test $(EXTENSION) build/c/build.ninja ## 10 min | let random operations run for long, on several file systems
	@$(NINJA) -C build/c
	@IRONMAP_MODEL_SECONDS=$(MODEL_SECONDS) $(C_TEST) build/c changing_maps --verbose
	@IRONMAP_MODEL_SECONDS=$(MODEL_SECONDS) $(VPYTHON) -m pytest -q -s tests/python/test_changing_maps.py
	@$(MODEL) build/c/tests/model/test_linux_model
	@$(SET_UP) system fault || echo "skipped: the fault tests with FUSE"
	@IRONMAP_MODEL_ROUNDS=1000 $(C_TEST) build/c model_threads io_error --verbose
	@$(SET_UP) system file-systems || echo "skipped: some file systems"
	@IRONMAP_MODEL_OPERATIONS=$$(($(MODEL_OPERATIONS) / 10)) $(PYTHON) tools/file_systems.py build/c/tests/model/test_linux_model

test-tsan: $(VENV)/.ready-test build/tsan/build.ninja ## 3 min | lose pages in threads, with the thread sanitizer
	@TSAN_OPTIONS="halt_on_error=1 history_size=7 suppressions=$(CURDIR)/tests/fault/tsan.supp" $(LONG) $(C_TEST) build/tsan fault_threads registry --timeout-multiplier 10

# Inputs worth keeping stay in build/fuzz/corpus. Those of tests/fuzz/corpus come first.
FUZZ_SECONDS ?= 60
FUZZ = -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0
fuzz: $(VENV)/.ready-test ## 5 min | fuzz the search kernels, the C interface and the extension
	@if $(SET_UP) system fuzz; then $(MAKE) build/fuzz/build.ninja && \
	    $(NINJA) -C build/fuzz && cd build/fuzz && mkdir -p corpus/search corpus/calls && \
	    tests/fuzz/fuzz_search $(FUZZ) -max_len=8000 corpus/search && \
	    tests/fuzz/fuzz_calls $(FUZZ) -max_len=1200 corpus/calls ../../tests/fuzz/corpus/calls; \
	    else echo "skipped: the fuzzers"; fi
	@$(MAKE) fuzz-extension

fuzz-extension: export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
fuzz-extension: $(VENV)/.ready-test build/asan/build.ninja
	@$(NINJA) -C build/asan
	@$(MESON) install -C build/asan --quiet --tags python-runtime --destdir $(CURDIR)/build/asan/root
	@mkdir -p build/fuzz/corpus/extension && cp tests/fuzz/corpus/extension/* build/fuzz/corpus/extension/
	@LD_PRELOAD="$(SANITIZERS)" PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONPATH=$(ASAN_PACKAGES) \
	    $(VPYTHON) tests/fuzz/fuzz_extension.py build/fuzz/corpus/extension --seconds $(FUZZ_SECONDS)

# Each prints the seed with which it is repeated: FUZZ_ARGS="--seed 5".
FUZZ_CALLS ?= 100000
fuzz-differences: $(VENV)/.ready-test $(EXTENSION) ## 3 min | run random programs in lock-step with the standard module
	@$(VPYTHON) tests/fuzz/lockstep/run.py --calls $(FUZZ_CALLS) $(FUZZ_ARGS)

coverage: $(VENV)/.ready-test build/coverage/build.ninja ## 8 min | what the tests reach, file by file: lines and branches
	@$(SET_UP) ready $(VENV) build test coverage
	@$(NINJA) -C build/coverage
	@$(IN_VENV) PYTHON=$(VPYTHON) sh tools/coverage.sh build/coverage

# Other machines: see the head of tools/mutants.py.
MUTANTS_ARGS ?=
test-mutants: $(VENV)/.ready-test ## 90 min | take out one safeguard at a time: a test must fail
	@$(VPYTHON) tools/mutants.py $(MUTANTS_ARGS)

#: FUZZ_SECONDS=60   how long each fuzzer runs
#: FUZZ_CALLS=100000 FUZZ_ARGS="--seed 5"   how many calls in lock-step, and which programs
#: FREE_THREADED="3.13 3.14 3.15"   which versions without the GIL
#: STRESS_SECONDS=60   how long the stress runs, and again with the thread sanitizer
#: MUTANTS_ARGS="-j 16 --only src/fault"   how many at once, and which

##@ Measure

# Without ripgrep the benchmark leaves its row out and says so.
BENCH = $(VPYTHON) bench/run.py --helper build/bench/bench/libbench-helper.so \
    --kernels build/bench/bench/kernels --folder build/bench
bench: $(VENV)/.ready-bench $(EXTENSION) build/bench/build.ninja ## 7 min | measure ironmap beside other libraries
	@$(SET_UP) system bench || true
	@$(NINJA) -C build/bench bench/libbench-helper.so bench/kernels
	@$(BENCH) --json build/bench/record.json --svg build/bench/record.svg $(BENCH_ARGS)

bench-record: bench ## 7 min | measure, and write the figures into README and bench/record/
	@$(VPYTHON) bench/readme.py build/bench/record.json

bench-stalls: $(VENV)/.ready-bench $(EXTENSION) ## 2 min | time for which other threads stand still, beside every operation
	@$(VPYTHON) bench/stalls.py $(BENCH_ARGS)

bench-many: $(EXTENSION) ## 1 min | time a map beside 60,000 others
	@$(VPYTHON) bench/many.py $(BENCH_ARGS)

bench-pairs: $(VENV)/.ready-bench $(EXTENSION) ## 5 min | threads that use one map by turns, beside the standard module
	@$(VPYTHON) bench/pairs.py $(BENCH_ARGS)

bench-calls: build/bench/build.ninja ## 5 min | time single calls with every CPython that is found, and the fault guard
	@mkdir -p build/calls && rm -f build/calls/*.json && $(PYTHON) tools/interpreters.py >build/interpreters
	@grep -v ' debug ' build/interpreters | while read -r name _ path; do \
	    echo "== CPython $$name: $$path"; \
	    $(MAKE) bench-calls-here PYTHON="$$path" VENV="build/venv-$$name" \
	        BENCH_ARGS="--json build/calls/$$name.json $(BENCH_ARGS)" </dev/null || exit 1; \
	    done
	@$(PYTHON) bench/ratios.py build/calls/*.json
	@$(NINJA) -C build/bench $(foreach kind,called inlined,\
	    bench/guard-$(kind)-guarded bench/guard-$(kind)-unguarded)
	@$(VPYTHON) bench/guard.py build/bench/bench

bench-calls-here: $(EXTENSION) ## 30 s | time single calls with $(PYTHON)
	@$(VPYTHON) bench/calls.py $(BENCH_ARGS)

test-bench: ## 1 min | run the benchmark at a small size, and check its answers
	@$(MAKE) bench BENCH_ARGS="--size 4M --rounds 1 --seconds 0.1"

#: BENCH_ARGS="--size 64M --rounds 3 --seconds 0.1"   a benchmark of seconds

##@ Other systems

PROCESSORS = i386 aarch64 armhf s390x
# tools/processors.py installs the compiler, qemu-user and cmocka, and prints the machine files.
test-processors: $(VENV)/.ready-test ## 5 min each | run the C tests on other processors, most of them under qemu-user
	@failed=; for name in $(PROCESSORS); do \
	    files="$$($(PYTHON) tools/processors.py $$name)" || { echo "skipped: the C tests on $$name"; continue; }; \
	    $(MAKE) test-on-$$name FILES="$$files" || failed="$$failed $$name"; \
	    done; if [ -n "$$failed" ]; then echo "failed on$$failed"; exit 1; fi

# Fewer rounds than usual, and more time: an emulated processor is several times slower.
FEWER = IRONMAP_FAULT_ROUNDS=$(if $(QUICK),50,300) IRONMAP_KERNEL_SHARE=$(if $(QUICK),5,1)
test-on-%: build/%/build.ninja
	@echo "== $*"
	@$(FEWER) $(C_TEST) build/$* --timeout-multiplier 10

# The same programs once more, with pages of 64 KiB.
test-on-aarch64: build/aarch64/build.ninja
	@echo "== aarch64"
	@$(FEWER) $(C_TEST) build/aarch64 --timeout-multiplier 10
	@echo "== aarch64, pages of 64 KiB"
	@$(FEWER) QEMU_PAGESIZE=65536 $(C_TEST) build/aarch64 --timeout-multiplier 10 --logbase testlog-64k

# tools/windows.py installs mingw-w64, Wine, cmocka, CPython's headers, and CPython. Wine's server stays
# until the end, also while no test runs: a test that begins while it stops gets no connection. The
# services begin before the tests, or they would keep the output of the first one open. All is stopped
# even if a test fails.
test-windows: $(VENV)/.ready-test ## 4 min | run all tests as Windows programs, under Wine
	@if $(PYTHON) tools/windows.py prepare; then $(MAKE) test-under-wine; \
	    else echo "skipped: the tests on Windows"; fi

build/windows/build.ninja: machines/ucrt.specs
test-under-wine: build/windows/build.ninja
	@$(NINJA) -C build/windows
	@trap 'machines/in-wine.sh wineserver -k || true' EXIT; \
	    machines/in-wine.sh wineserver -p; machines/in-wine.sh wine wineboot >/dev/null 2>&1 </dev/null; \
	    $(C_TEST) build/windows --timeout-multiplier 3 && \
	    $(VPYTHON) tools/windows.py pytest $(PYTEST_ARGS)

# What cannot run here is compiled and linked, with warnings as errors.
SYSTEMS = macos freebsd netbsd openbsd musl
test-systems: export ZIG_GLOBAL_CACHE_DIR = $(abspath build/zig)
test-systems: $(VENV)/.ready-systems ## 3 min | compile the C library for systems that cannot run here
	@for name in $(SYSTEMS); do \
	    $(MAKE) build/$$name/build.ninja WERROR=yes && \
	    echo "compiling for $$name" && $(NINJA) -C build/$$name || exit 1; done

#: PROCESSORS="i386 s390x"   which processors
#: SYSTEMS="macos musl"      which systems
