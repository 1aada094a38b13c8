# The one entry for people and CI. `make` lists the targets; each sets up what it needs by itself.

PYTHON ?= python3
SEED ?= 1

# A sentence may hold anything, `$` and quotes too: keep it as it was typed and hand it over in the environment.
override INSTRUCTION := $(value INSTRUCTION)
override SEED := $(value SEED)
override TORCH_INDEX := $(value TORCH_INDEX)
export INSTRUCTION SEED TORCH_INDEX

# ROS writes its logs under HOME, which may be missing (containers, CI).
export ROS_LOG_DIR ?= $(CURDIR)/.setup/ros_log

# What another environment of ROS wheels, or a ROS 2 sourced in this shell, would mix into .venv.
foreign := _ROS_WHEELS_BOOTSTRAP_COMPLETE $(if $(ROS_DISTRO),ROS_DISTRO PYTHONPATH AMENT_PREFIX_PATH \
  CMAKE_PREFIX_PATH COLCON_PREFIX_PATH LD_LIBRARY_PATH RMW_IMPLEMENTATION)
alone := env $(addprefix -u ,$(foreign))
python := $(alone) .venv/bin/python
# Tests side by side, each with one thread; the whole suite with one process more than cores often are, as some
# tests wait for nodes. A file's tests stay together, for they share their nodes.
tests := ROS_PYTHON_CHECK_FIELDS=1 OMP_NUM_THREADS=1 $(python) -m pytest --dist loadfile
setup := $(PYTHON) scripts/setup $${TORCH_INDEX:+--torch-index "$$TORCH_INDEX"}

.DEFAULT_GOAL := help
.PHONY: help demo test check bench train-tiny setup ros clean have-python

help: ## list the targets
	@echo 'make TARGET [VARIABLE=value]'; echo
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-11s %s\n", $$1, $$2}'
	@echo
	@echo '  INSTRUCTION="..."   what the demo asks for (default: something of its room)'
	@echo '  SEED=n              which room the demo builds (default 1)'
	@echo '  TORCH_INDEX=URL     where PyTorch comes from (default: https://download.pytorch.org/whl/cpu,'
	@echo '                      or the default index where there is an NVIDIA GPU)'
	@echo '  PYTHON=python3.12   which Python sets up .venv (3.11 or newer; 3.11 is the tested one)'

demo: setup ## ask the perception node for something in a simulated room: picture, verdict, a line of JSON
	@$(python) -m lisa_ros.nodes.demo --seed="$$SEED" $${INSTRUCTION:+--instruction="$$INSTRUCTION"}

test: setup ## run the whole suite, real nodes over DDS included
	@$(tests) -n 3 --require-ros

check: setup ## lint, format check, types and the fast tests; under 90 s
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy
	@$(python) -m mypy scripts/setup
	@$(tests) -n 2 -q -m 'not slow and not ros'

bench: setup ## time the engine's stages, cached and not: a table and a line of JSON
	@$(python) -m benchmarks.engine --seed="$$SEED"

# Every stage ends in a file, so what was interrupted goes on with the stage, and in it, where it was.
tiny := runs/lisa-tiny
ranks := $(if $(wildcard /dev/nvidia0),1,2)
# It saves page faults: a sixth of the time.
jemalloc := $(firstword $(wildcard /usr/lib/*/libjemalloc.so.2))
train := $(alone) OMP_NUM_THREADS=1 LD_PRELOAD=$(jemalloc) MALLOC_CONF=oversize_threshold:0,thp:always,dirty_decay_ms:60000 \
  .venv/bin/torchrun --nproc-per-node $(ranks) -m

train-tiny: setup ## train lisa-tiny from nothing: three and a half hours on two cores, in as many sittings as you like
	@$(MAKE) --no-print-directory $(tiny)/evaluated

runs/rooms/complete:
	$(python) -m lisa_ros.simulation.generate $(@D) --seed 1000000 --rooms 8192 --workers 2
	@touch $@

$(tiny)/coarse/model.safetensors: runs/rooms/complete
	$(train) training.pretrain training/configs/lisa-tiny-pretrain.yaml

$(tiny)/pretrained/model.safetensors: $(tiny)/coarse/model.safetensors
	$(train) training.pretrain training/configs/lisa-tiny-pretrain-fine.yaml

$(tiny)/model/training_curves.png: $(tiny)/pretrained/model.safetensors
	$(train) training.train training/configs/lisa-tiny.yaml

$(tiny)/calibrated: $(tiny)/model/training_curves.png
	$(python) -m training.export $(tiny)/model $(tiny)/checkpoint
	$(python) -m training.calibrate $(tiny)/checkpoint --rooms 400
	@touch $@

$(tiny)/evaluated: $(tiny)/calibrated
	$(python) -m training.evaluate --model $(tiny)/checkpoint --seed 12345 --rooms 300 --out $@

setup: have-python ## make .venv: ROS 2 from PyPI, PyTorch, the compiled interfaces; done already: at once
	@$(setup) wheels

ros: have-python ## on a ROS 2 machine: rosdep, .venv-ros, colcon build into the workspace around this folder
	@$(setup) ros $(if $(WORKSPACE),--workspace "$(WORKSPACE)")

clean: ## remove all that make made, .venv included; training runs are kept
	rm -rf .venv .venv-ros .setup build out lisa_ros.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

have-python:
	@command -v $(PYTHON) >/dev/null || { echo '$(PYTHON) is not installed. What to do (Debian, Ubuntu):'; \
	  echo '    sudo apt-get install -y python3 python3-venv python3-dev g++'; exit 1; }
