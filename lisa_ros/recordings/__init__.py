"""A lab's own recordings: read, write and check them. numpy, Pillow and PyYAML; no torch, no ROS."""
