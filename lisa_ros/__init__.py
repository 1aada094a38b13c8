"""Language-driven perception: a sentence and an RGB-D image in, masks and 3D targets out.

Importing this package loads neither torch nor rclpy; import the subpackage you need.
"""

# The ROS interfaces (lisa_ros.msg, .srv, .action) are generated at build time and installed beside
# this package, so a checkout on sys.path has to be merged with the installed directory of the same
# name.
from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
