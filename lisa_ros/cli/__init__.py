"""The `lisa` command. It looks at the installation itself; whatever runs is a process of its own.

Nothing here imports ROS, and no more than the standard library is imported before a command that
needs it is known, so that `lisa doctor` can say what is wrong with the rest.
"""
