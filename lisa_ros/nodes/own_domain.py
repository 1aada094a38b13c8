"""A DDS domain that no other demo or test on this machine is in."""

from __future__ import annotations

import functools
import os
import random
import socket

from lisa_ros.errors import ConfigurationError

# Domain ids above 101 collide with Linux's ephemeral ports; 0 is everybody's.
DOMAINS = range(1, 102)


@functools.cache
def own_domain() -> int:
    """Return the domain id that this process keeps until it ends.

    An abstract socket stands for it: its name is known in the network that DDS uses, and nowhere
    else, and it is free again with the process.

    Raises:
        ConfigurationError: other processes have all of them.

    """
    keeper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for domain in random.Random(os.getpid()).sample(DOMAINS, len(DOMAINS)):
        try:
            keeper.bind(f"\0lisa_ros domain {domain}")
        except OSError:
            continue
        keeper.detach()  # open as long as this process lives
        return domain
    keeper.close()
    raise ConfigurationError(
        f"ROS domains {DOMAINS[0]} to {DOMAINS[-1]} are all in use by demos and tests of this "
        "package; end some of them."
    )
