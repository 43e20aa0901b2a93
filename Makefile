# The first run of any target sets everything up; later ones start in seconds.
#
#   ROS_DISTRO=kilted   the ROS 2 wheels to use (default jazzy; a sourced ROS 2 comes first)
#   PYTHON=python3.12   the Python to use (default python3)
#   SOURCE=folder       what the demo's camera shows: synthetic, a folder, a video, a rosbag2, a camera index
#   TESTS=test/x.py     what to test, and options of pytest
#   WORKERS=3           processes that run tests; most tests wait for nodes rather than compute

SOURCE ?= synthetic
TESTS ?= test
WORKERS ?= 3

help:
	@echo 'make demo   segment a camera through ROS 2 nodes (SOURCE=synthetic, folder, video, rosbag2, index)'
	@echo 'make demo-freespace   score and draw free space on synthetic streets'
	@echo 'make demo-cloud   label the points of a simulated depth camera, score and draw them'
	@echo 'make test   run all tests'
	@echo 'make native-sanitize   run the native engine under sanitizers, which takes minutes'
	@echo 'make shell  open a shell in which the nodes and the enet command run'
	@echo 'make setup  only install and build what is missing'
	@echo 'make clean  remove all that set-up made'

setup:
	@scripts/setup

demo: setup
	@scripts/run demo --source '$(SOURCE)'

demo-cloud: setup
	@scripts/run demo_cloud

demo-freespace: setup
	@scripts/run demo_freespace

test: setup
	@scripts/run pytest -n $(WORKERS) --dist loadfile $(TESTS)

native-sanitize: setup
	@scripts/run python test/sanitize_native.py .work/sanitize

shell: setup
	@scripts/run

clean:
	rm -rf .work

.PHONY: help setup demo demo-cloud demo-freespace test native-sanitize shell clean
