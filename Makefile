# A short front for CMake. `make demo` and `make test` do their own set-up.
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
# Larger recordings than the repository may carry (docs/data.md); tests that need them skip without.
export GENBA_DATA ?= $(firstword $(wildcard $(CURDIR)/../shared/data))

.PHONY: all setup build demo test bench judge format install clean

all: build

setup:
	@./cmake/setup core

build: setup
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@echo "building ..." && cmake --build --preset release -j $(JOBS) -- --quiet

demo: build
	@build/release/genba demo

test: build
	@ctest --test-dir build/release -j $(JOBS) --output-on-failure

bench:
	@./cmake/setup core bench
	@./bench/peer/environment
	@$(MAKE) --no-print-directory build
	@build/release/genba-bench all

judge:
	@./cmake/setup core judge
	@$(MAKE) --no-print-directory build
	@./bench/judge/run

format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: build
	@cmake --install build/release --prefix $(PREFIX)

clean:
	rm -rf build
