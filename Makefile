# Entrain's front door. `make demo` and `make test` on a fresh Debian 12 machine do everything, as root or with sudo.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)

.PHONY: help setup build demo test cuda bench tidy format clean
help:
	@echo "make demo    set up, build, pretrain on 2 ranks, fine-tune, evaluate, print the table (at most 20 minutes on 2 cores)"
	@echo "make test    set up, build, run every test that can run here"
	@echo "make build   programs to $(BUILD)/bin        (PRESET=dev|asan|tsan for other builds)"
	@echo "make setup   Debian packages, and LibTorch into .deps/"
	@echo "make cuda    the same programs for GPUs, to build/cuda/bin (5 GB of CUDA libraries into .deps/)"
	@echo "make bench   the training step beside a PyTorch peer (needs the peer's packages, see bench/README.md)"
	@echo "make tidy    clang-tidy on the files changed since main;  make format  clang-format on all"
	@echo "make clean   removes build/ and runs/; .deps/ stays"

setup:
	@scripts/setup.sh

build: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET)
	@cmake --build --preset $(PRESET) -j $(JOBS)

demo: build
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" scripts/demo.sh

test:
	@scripts/setup.sh tests
	@$(MAKE) --no-print-directory build
	@ctest --preset $(PRESET) -j $(JOBS)

cuda:
	@scripts/setup.sh cuda
	@cmake --preset cuda
	@cmake --build --preset cuda -j $(JOBS)
	@scripts/check_cuda.sh build/cuda/bin

bench: build
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" bench/run.sh

tidy: build
	@scripts/tidy.sh $(BUILD)

format:
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

clean:
	rm -rf build runs
