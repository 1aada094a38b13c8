"""For all tests: no deadlines, `--require-ros` and `--soak-minutes`.

A run that skipped every ROS test has shown nothing of the nodes; with `--require-ros` it fails.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

# Machines are shared and noisy: nothing may fail because of the clock.
settings.register_profile("no clock", deadline=None)
settings.load_profile("no clock")

_passed_ros_tests: set[str] = set()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-ros",
        action="store_true",
        help="fail unless at least one test marked `ros` passed",
    )
    parser.addoption(
        "--soak-minutes",
        type=float,
        default=0.25,
        help="how long tests/nodes/test_soak.py sends rubbish (before a release: 60)",
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = (yield).get_result()
    if report.when == "call" and report.passed and item.get_closest_marker("ros"):
        _passed_ros_tests.add(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if session.config.getoption("--require-ros") and exitstatus == 0 and not _passed_ros_tests:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("--require-ros") and not _passed_ros_tests:
        terminalreporter.write_line(
            "--require-ros: no test marked `ros` passed. They are skipped without rclpy and the "
            "built interfaces: run `make setup`.",
            red=True,
        )
