"""The ROS side: the only place that imports rclpy.

Modules here that need no rclpy (images, synchroniser, frames, answering, worker, conversions)
import messages at most, so that they can be tested without DDS.
"""
