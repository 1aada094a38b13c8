"""Set up this checkout: `python3 scripts/setup` (what `make setup` runs) or `python3 scripts/setup ros`.

Runs before anything is installed, so it needs the standard library only. This file alone must also be
readable to an old Python, which it refuses by name.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (the very point of this file)
    sys.exit(
        "lisa_ros needs Python 3.11 or newer, and %s is Python %d.%d.\n"
        "Debian 12 and Ubuntu 24.04 bring a newer one as python3. Elsewhere install one beside it and name it:\n"
        "    make demo PYTHON=python3.12" % (sys.executable, *sys.version_info[:2])
    )

from main import main  # noqa: E402

sys.exit(main())
