"""Set up this checkout: `python3 scripts/setup` (as `make setup` does), or with the argument `ros`.

Runs before anything is installed, so it needs the standard library only. This file must also be
readable to an old Python, which it refuses by name.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (the very point of this file)
    sys.exit(
        "lisa_ros needs Python 3.11 or newer, and {} is Python {}.{}.\n"
        "Debian 12 and Ubuntu 24.04 have one as python3. Elsewhere install one and name it:\n"
        "    make demo PYTHON=python3.12".format(sys.executable, *sys.version_info[:2])
    )

from main import main

sys.exit(main())
