"""No two processes on a domain."""

from __future__ import annotations

import os
import subprocess
import sys

from lisa_ros.nodes.own_domain import DOMAINS, own_domain

CODE = "from lisa_ros.nodes.own_domain import own_domain; print(own_domain(), flush=True); input()"


def test_it_stays_the_same() -> None:
    assert own_domain() == own_domain()
    assert own_domain() in DOMAINS


def test_others_get_other_domains_until_they_end() -> None:
    # The same process id, as two containers of one network may have it, draws the same order.
    code = f"import os; os.getpid = lambda: {os.getpid()}; {CODE}"
    with (
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as first,
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as second,
    ):
        domains = [process.stdout and int(process.stdout.readline()) for process in (first, second)]
        assert len({own_domain(), *domains}) == 3
        first.communicate("\n")
        third = subprocess.run(
            [sys.executable, "-c", code], input="\n", capture_output=True, text=True, check=True
        )
        assert int(third.stdout) == domains[0]
        second.communicate("\n")
