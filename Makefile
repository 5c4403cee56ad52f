# The front door of the checkout. Everything it sets up stands in .venv/ and build/.

PYTHON ?= python3
VENV ?= .venv
PREFIX ?= /usr/local
# Warnings are errors in CI.
WERROR ?= $(if $(CI),true,false)

MAKEFLAGS += --no-print-directory
SETUP := $(PYTHON) tools/setup.py
# Programs of the virtual environment come first; nothing is activated.
IN_VENV = PATH="$(abspath $(VENV))/bin:$$PATH"
VPYTHON = $(VENV)/bin/python
MESON = $(IN_VENV) meson
SOURCES := $(shell find include src python -type f -not -name '*.pyc') \
    meson.build meson.options pyproject.toml
EXTENSION = $(VENV)/.ready-extension
C_TEST = $(MESON) test --print-errorlogs -C
PYTEST = $(VPYTHON) -m pytest -q

# The virtual environment and apt-get are for one at a time; what Ninja runs is parallel anyway.
.NOTPARALLEL:
ifneq ($(words $(CURDIR)),1)
$(error the path of this checkout has a space, which make cannot handle: $(CURDIR))
endif

.PHONY: help demo test test-c test-python test-all test-interpreters test-asan test-valgrind \
    test-mremap test-fault test-tsan test-processors test-windows test-systems test-bench fuzz lint \
    format bench bench-record bench-calls install clean FORCE

help: ## list the commands
	@echo "make COMMAND, where COMMAND is one of"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | \
	    while IFS="$$(printf '\t')" read -r name text; do printf '  %-18s %s\n' "$$name" "$$text"; done

# ---- setting up ------------------------------------------------------------------------------

# Made and kept by tools/setup.py, which touches them only when something changed.
$(VENV)/.ready-build: FORCE
	@$(SETUP) system build
	@$(SETUP) venv $(VENV) build

$(VENV)/.ready-test: $(VENV)/.ready-build FORCE
	@$(SETUP) system test
	@$(SETUP) venv $(VENV) test

$(VENV)/.ready-lint: $(VENV)/.ready-test FORCE
	@$(SETUP) venv $(VENV) lint

$(VENV)/.ready-bench: $(VENV)/.ready-test FORCE
	@$(SETUP) venv $(VENV) bench

$(VENV)/.ready-systems: $(VENV)/.ready-build FORCE
	@$(SETUP) venv $(VENV) systems

$(EXTENSION): $(VENV)/.ready-build $(SOURCES)
	@echo "building the extension into $(VENV)"
	@$(IN_VENV) $(VPYTHON) -m pip --disable-pip-version-check install --quiet --no-build-isolation \
	    --no-deps --force-reinstall -Cbuild-dir=$(VENV)/build-extension \
	    -Csetup-args=-Dwerror=$(WERROR) $(EXTENSION_ARGS) .
	@touch $@

# One build of the C library for each purpose, each with its own options.
PROCESSORS = i386 aarch64 armhf s390x
SYSTEMS = macos freebsd netbsd openbsd musl
build/demo/build.ninja: OPTIONS = -Dtests=disabled
build/c/build.ninja: OPTIONS = -Dtests=enabled
build/mremap/build.ninja: OPTIONS = -Dtests=enabled -Dmremap=false
build/asan/build.ninja: OPTIONS = -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false
build/tsan/build.ninja: OPTIONS = -Dtests=enabled -Db_sanitize=thread -Db_lundef=false -Dc_args=-Wno-tsan
build/lint/build.ninja: OPTIONS = -Dtests=enabled -Dpython=enabled -Ddefault_library=static
build/fuzz/build.ninja: OPTIONS = -Dtests=disabled -Dexamples=disabled -Dfuzz=enabled \
    -Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link
build/fuzz/build.ninja: export CC = clang
build/bench/build.ninja: OPTIONS = -Dtests=disabled -Dexamples=disabled -Dbuildtype=release
build/install/build.ninja: OPTIONS = -Dtests=disabled -Dexamples=disabled -Dbuildtype=release
$(PROCESSORS:%=build/%/build.ninja): OPTIONS = -Dtests=enabled $(CROSS)
$(PROCESSORS:%=build/%/build.ninja): build/%/build.ninja: machines/%.ini
build/windows/build.ninja: OPTIONS = -Dtests=enabled -Dpython=enabled $(CROSS)
build/windows/build.ninja: machines/windows.ini machines/ucrt.specs
$(SYSTEMS:%=build/%/build.ninja): OPTIONS = -Dtests=disabled --cross-file=$(CURDIR)/machines/$*.ini
$(SYSTEMS:%=build/%/build.ninja): build/%/build.ninja: machines/%.ini
# From inside the folder, where some compilers leave things behind when Meson asks what they are.
build/%/build.ninja: $(VENV)/.ready-build meson.options Makefile
	@echo "configuring build/$*"
	@rm -rf build/$*
	@mkdir -p build/$*
	@cd build/$* && $(MESON) setup . $(CURDIR) -Dwerror=$(WERROR) $(OPTIONS) >../$*.log || \
	    { cat $(CURDIR)/build/$*.log; exit 1; }

# ---- running ---------------------------------------------------------------------------------

demo: $(EXTENSION) build/demo/build.ninja ## build everything and run the examples
	@$(IN_VENV) ninja --quiet -C build/demo
	@rm -rf build/demo/scratch && mkdir -p build/demo/scratch
	@cd build/demo/scratch && for example in hello anonymous tag; do \
	    echo; echo "== examples/$$example.c"; ../examples/$$example || exit 1; \
	    echo; echo "== examples/$$example.py"; \
	    $(abspath $(VPYTHON)) $(CURDIR)/examples/$$example.py || exit 1; done
	@cd build/demo/scratch && for example in lost_page walk; do \
	    echo; echo "== examples/$$example.py"; \
	    $(abspath $(VPYTHON)) $(CURDIR)/examples/$$example.py || exit 1; done

test: test-c test-python ## run the tests: of the C library, then of the Python package

test-c: $(VENV)/.ready-test build/c/build.ninja ## run the tests of the C library alone
	@$(C_TEST) build/c

test-python: $(VENV)/.ready-test $(EXTENSION) ## run the tests of the Python package alone
	@$(PYTEST) tests/python tests/compat $(PYTEST_ARGS)

test-all: ## run all of the tests below, too
	@$(MAKE) test test-bench test-mremap test-valgrind test-asan test-fault test-tsan fuzz \
	    test-processors test-windows test-systems test-interpreters

test-interpreters: ## run the Python tests with every CPython that is found
	@mkdir -p build && $(PYTHON) tools/interpreters.py >build/interpreters
	@failed=; while read -r name path; do \
	    echo "== CPython $$name: $$path"; \
	    $(MAKE) test-python PYTHON="$$path" VENV="build/venv-$$name" </dev/null || failed="$$failed $$name"; \
	    done <build/interpreters; \
	    if [ -n "$$failed" ]; then echo "failed with CPython$$failed"; exit 1; fi

test-mremap: $(VENV)/.ready-test build/mremap/build.ninja ## run the C tests as on a system without mremap
	@$(C_TEST) build/mremap

# The fault tests that go with tools that have signal handlers and limits of their own.
LOSSES = damage truncation fault_threads
test-valgrind: $(VENV)/.ready-test build/c/build.ninja ## run the C tests under valgrind
	@if $(SETUP) system valgrind; then $(C_TEST) build/c --setup valgrind --no-suite tools --no-suite fault && \
	    $(C_TEST) build/c --setup valgrind $(LOSSES); \
	    else echo "skipped: the C tests under valgrind"; fi

SANITIZERS = $(foreach name,asan ubsan,$(shell $(or $(CC),cc) -print-file-name=lib$(name).so))
test-asan: export UBSAN_OPTIONS = halt_on_error=1:print_stacktrace=1
test-asan: $(VENV)/.ready-test build/asan/build.ninja ## run all tests with the address and undefined-behaviour sanitizers
	@$(C_TEST) build/asan --no-suite tools --no-suite fault
	@$(C_TEST) build/asan $(LOSSES)
	@$(MAKE) build/venv-asan/.ready-test build/venv-asan/.ready-extension VENV=build/venv-asan \
	    EXTENSION_ARGS="-Csetup-args=-Db_lto=false -Csetup-args=-Db_sanitize=address,undefined -Csetup-args=-Db_lundef=false"
	@LD_PRELOAD="$(SANITIZERS)" PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
	    build/venv-asan/bin/python -m pytest -q tests/python tests/compat $(PYTEST_ARGS)

# Thousands of rounds and a minute of threads, where `make test` has a few.
LONG = IRONMAP_FAULT_ROUNDS=20000 IRONMAP_FAULT_SECONDS=60
test-fault: $(VENV)/.ready-test build/c/build.ninja ## lose pages for minutes, in every way
	@$(SETUP) system fault || echo "skipped: the fault tests with FUSE"
	@$(LONG) $(C_TEST) build/c --suite fault --timeout-multiplier 10

test-tsan: $(VENV)/.ready-test build/tsan/build.ninja ## lose pages in threads under the thread sanitizer
	@TSAN_OPTIONS="halt_on_error=1 history_size=7 suppressions=$(CURDIR)/tests/fault/tsan.supp" $(LONG) $(C_TEST) build/tsan fault_threads --timeout-multiplier 10

# Seconds to fuzz for; what was found worth keeping stays in build/fuzz/corpus.
FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.ready-build ## fuzz the search kernels
	@if $(SETUP) system fuzz; then $(MAKE) build/fuzz/build.ninja && \
	    $(IN_VENV) ninja --quiet -C build/fuzz && mkdir -p build/fuzz/corpus && \
	    cd build/fuzz && tests/fuzz/fuzz_search -max_total_time=$(FUZZ_SECONDS) -max_len=8000 \
	        -print_final_stats=1 -verbosity=0 corpus; \
	    else echo "skipped: the fuzzers"; fi

# Where ripgrep is not to be had, the benchmark goes without and says so.
BENCH = $(VPYTHON) bench/run.py --helper build/bench/bench/libbench-helper.so \
    --kernels build/bench/bench/kernels --folder build/bench
bench: $(VENV)/.ready-bench $(EXTENSION) build/bench/build.ninja ## measure ironmap beside what else there is
	@$(SETUP) system bench || true
	@$(IN_VENV) ninja --quiet -C build/bench bench/libbench-helper.so bench/kernels
	@$(BENCH) --json build/bench/record.json --svg build/bench/record.svg $(BENCH_ARGS)

bench-record: bench ## measure, and put the figures into README and bench/record/
	@$(VPYTHON) bench/readme.py build/bench/record.json

test-bench: ## run the benchmark in small, whose answers are checked
	@$(MAKE) bench BENCH_ARGS="--size 4M --rounds 1 --seconds 0.1"

# tools/processors.py gets the compiler, qemu-user and cmocka; CROSS is what it tells Meson.
test-processors: $(VENV)/.ready-test ## run the C tests on other processors, most of them under qemu-user
	@failed=; for name in $(PROCESSORS); do \
	    cross="$$($(PYTHON) tools/processors.py $$name)" || { echo "skipped: the C tests on $$name"; continue; }; \
	    $(MAKE) test-on-$$name CROSS="$$cross" || failed="$$failed $$name"; \
	    done; if [ -n "$$failed" ]; then echo "failed on$$failed"; exit 1; fi

# Fewer rounds than usual, and more time: each takes several times as long.
FEWER = IRONMAP_FAULT_ROUNDS=300
test-on-%: build/%/build.ninja
	@echo "== $*"
	@$(FEWER) $(C_TEST) build/$* --timeout-multiplier 10

# The same programs once more, with pages of 64 KiB.
test-on-aarch64: build/aarch64/build.ninja
	@echo "== aarch64"
	@$(FEWER) $(C_TEST) build/aarch64 --timeout-multiplier 10
	@echo "== aarch64, pages of 64 KiB"
	@$(FEWER) QEMU_PAGESIZE=65536 $(C_TEST) build/aarch64 --timeout-multiplier 10 --logbase testlog-64k

# tools/windows.py gets mingw-w64, Wine, cmocka, CPython's headers, and CPython. What Wine keeps
# running is ended, whatever becomes of the tests.
test-windows: $(VENV)/.ready-test ## run all tests as Windows programs, under Wine
	@if cross="$$($(PYTHON) tools/windows.py)"; then $(MAKE) test-under-wine CROSS="$$cross"; \
	    else echo "skipped: the tests on Windows"; fi

test-under-wine: build/windows/build.ninja
	@$(IN_VENV) ninja --quiet -C build/windows
	@trap 'machines/in-wine.sh wineserver -k || true' EXIT; \
	    $(C_TEST) build/windows --timeout-multiplier 3 && \
	    $(VPYTHON) tools/windows.py pytest $(PYTEST_ARGS)

# What cannot be run here is compiled and linked, warnings as errors.
test-systems: export ZIG_GLOBAL_CACHE_DIR = $(abspath build/zig)
test-systems: $(VENV)/.ready-systems ## compile the C library for systems that cannot be run here
	@for name in $(SYSTEMS); do \
	    $(MAKE) build/$$name/build.ninja WERROR=true && \
	    echo "compiling for $$name" && $(IN_VENV) ninja --quiet -C build/$$name || exit 1; done

bench-calls: $(EXTENSION) build/bench/build.ninja ## time single calls, and what the fault guard costs
	@$(VPYTHON) bench/calls.py $(BENCH_ARGS)
	@$(IN_VENV) ninja --quiet -C build/bench $(foreach kind,called inlined,\
	    bench/guard-$(kind)-guarded bench/guard-$(kind)-unguarded)
	@$(VPYTHON) bench/guard.py build/bench/bench

# ---- keeping it tidy -------------------------------------------------------------------------

C_FILES = $(shell find include src python/ext tests/api tests/fault tests/unit tests/windows machines examples bench \
    -name '*.[ch]')
# What is compiled here: not what is for other systems and processors.
TIDY_FILES = $(shell find src python/ext -name '*.c' -not -path 'src/platform/windows/*' \
    -not -path 'src/search/neon.c' -not -path 'src/search/aarch64.c' -not -path 'src/search/any.c')
# The Windows room is looked at with the headers of mingw-w64, where they are.
WINDOWS_HEADERS = /usr/share/mingw-w64/include
WINDOWS_FLAGS = --target=x86_64-w64-windows-gnu -std=c17 -Iinclude -Isrc -D_UCRT -D_WIN32_WINNT=0x0602 \
    -DWIN32_LEAN_AND_MEAN -DIRONMAP_STATIC -isystem $(WINDOWS_HEADERS)
PYTHON_ROOMS = bench examples python tests tools

lint: $(VENV)/.ready-lint build/lint/build.ninja $(EXTENSION) ## check style, types and the architecture
	@$(PYTHON) tools/check_rooms.py
	@$(IN_VENV) ruff check --quiet
	@$(IN_VENV) ruff format --check --quiet
	@$(IN_VENV) clang-format --dry-run -Werror $(C_FILES)
	@$(IN_VENV) mypy
	@printf '%s\n' $(TIDY_FILES) | $(IN_VENV) xargs -n 1 -P 2 clang-tidy -p build/lint --quiet \
	    --extra-arg=-Wno-unknown-warning-option
	@if [ -d $(WINDOWS_HEADERS) ]; then find src/platform/windows -name '*.c' | $(IN_VENV) xargs -I FILE -P 2 \
	    clang-tidy FILE --quiet -- $(WINDOWS_FLAGS); \
	    else echo "skipped: clang-tidy for Windows, which needs the headers of mingw-w64"; fi
	@echo "lint: all clean"

format: $(VENV)/.ready-lint ## format the C and the Python code
	@$(IN_VENV) ruff check --fix --quiet || true
	@$(IN_VENV) ruff format --quiet
	@$(IN_VENV) clang-format -i $(C_FILES)

install: $(VENV)/.ready-build ## install the C library to PREFIX (default /usr/local), below DESTDIR
	@$(MAKE) build/install/build.ninja
	@$(MESON) configure build/install -Dprefix=$(PREFIX)
	@$(MESON) install -C build/install $(if $(DESTDIR),--destdir $(DESTDIR))

clean: ## remove everything that was built and set up
	rm -rf .venv build dist
	find . -name __pycache__ -prune -exec rm -rf {} +
