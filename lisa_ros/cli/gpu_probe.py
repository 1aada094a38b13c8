"""Print what torch sees of the GPUs, as JSON; a process, because a broken driver may crash it."""

from __future__ import annotations

import json
import sys

from lisa_ros.cli.import_probe import MARK


def main() -> int:
    """Print {"cuda": version torch was built for or null, "devices": [[name, MiB], ...]}."""
    import torch

    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            devices.append([properties.name, properties.total_memory // 2**20])
    print(MARK + json.dumps({"cuda": torch.version.cuda, "devices": devices}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
