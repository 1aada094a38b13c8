"""What the process holds in memory, on the host and on its GPU; never starts CUDA to find out."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_MIB = 2**20


def memory_facts() -> dict[str, str]:
    """Return MiB by what they are: resident of the process; of each GPU that torch has in use.

    Empty where the system does not say (no /proc), and without torch's part before it is loaded.
    """
    facts = {}
    resident = _resident_bytes()
    if resident is not None:
        facts["memory, resident [MiB]"] = f"{resident / _MIB:.0f}"
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)  # torch is there, but empty, while it is being imported
    if cuda is None or not getattr(cuda, "is_initialized", bool)():
        return facts
    for index in range(cuda.device_count()):
        if cuda.memory_reserved(index):
            free, total = cuda.mem_get_info(index)
            name = f"memory, cuda:{index}"
            facts |= {
                f"{name} allocated [MiB]": f"{cuda.memory_allocated(index) / _MIB:.0f}",
                f"{name} reserved [MiB]": f"{cuda.memory_reserved(index) / _MIB:.0f}",
                f"{name} free [MiB]": f"{free / _MIB:.0f} of {total / _MIB:.0f}",
            }
    return facts


def _resident_bytes() -> int | None:
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
