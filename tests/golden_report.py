"""The table of golden deviations at the end of a run, from all processes that ran a part of it."""

from __future__ import annotations

from typing import Any

import pytest
from parity import Deviations

_NAME = "golden report"


class GoldenReport:
    """A plugin. deviations: what this process found. introduction: what was compared, in lines."""

    def __init__(self) -> None:
        self.deviations = Deviations()
        self.introduction: tuple[str, ...] = ()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output[_NAME] = (self.introduction, self.deviations.rows)

    @pytest.hookimpl(optionalhook=True)  # of pytest-xdist
    def pytest_testnodedown(self, node: Any) -> None:
        introduction, rows = getattr(node, "workeroutput", {}).get(_NAME, ((), {}))
        self.introduction = self.introduction or tuple(introduction)
        self.deviations.merge(rows)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.deviations.rows:
            terminalreporter.section("golden deviations")
            for line in (*self.introduction, *self.deviations.table()):
                terminalreporter.write_line(line)


def add_report(config: pytest.Config) -> None:
    config.pluginmanager.register(GoldenReport(), _NAME)


def report_of(config: pytest.Config) -> GoldenReport:
    report = config.pluginmanager.get_plugin(_NAME)
    assert isinstance(report, GoldenReport)
    return report
