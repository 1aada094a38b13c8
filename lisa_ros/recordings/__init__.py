"""A lab's recordings: read, write, check them. numpy, Pillow and PyYAML; no torch, no ROS."""
