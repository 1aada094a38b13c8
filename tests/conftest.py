"""For all tests: hypothesis's profiles, `--require-ros` and `--soak-minutes`.

A run that skipped every ROS test has shown nothing of the nodes; with `--require-ros` it fails.
"""

from __future__ import annotations

import pytest
from golden_report import add_report
from hypothesis import settings

# Machines are shared and noisy: nothing may fail because of the clock. And one commit gives one
# result; `--hypothesis-profile search` looks for new counterexamples.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("same")

_passed_ros_tests: set[str] = set()


def pytest_configure(config: pytest.Config) -> None:
    add_report(config)


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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed and "ros" in report.keywords:
        _passed_ros_tests.add(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    is_part = hasattr(session.config, "workerinput")  # of a run with several processes
    required = session.config.getoption("--require-ros") and not is_part
    if required and exitstatus == 0 and not _passed_ros_tests:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.getoption("--require-ros") and not _passed_ros_tests:
        terminalreporter.write_line(
            "--require-ros: no test marked `ros` passed. They are skipped without rclpy and the "
            "built interfaces: run `make setup`.",
            red=True,
        )
