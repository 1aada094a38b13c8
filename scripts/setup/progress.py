"""Steps that a person can follow: one line each on the screen, the tools' noise in a log file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

TAIL_LINES = 15


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what to do."""


class CommandFailedError(SetupError):
    """A command ended with an error; the message holds the end of its output."""


class Progress:
    """Numbers the steps, shows how long each takes, runs commands with their output in a log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._total = 0
        self._number = 0
        self._title = ""
        self._begin = 0.0

    def expect(self, total: int) -> None:
        """Say how many steps will come, and start the log anew."""
        self._total, self._number = total, 0
        self.log.write_text("", encoding="utf-8")

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show `[2/6] title ... 12 s` while and after the body runs."""
        self._number += 1
        self._title = f"[{self._number}/{self._total}] {title} ..."
        self._begin = time.monotonic()
        print(self._title, end="", flush=True)
        try:
            yield
        except BaseException:
            print(f"{self._again()} stopped after {self._seconds()} s", flush=True)
            raise
        print(f"{self._again()} {self._seconds()} s", flush=True)

    def skip(self, title: str) -> None:
        """Show a step that has nothing to do."""
        with self.step(title):
            return

    def note(self, text: str) -> None:
        """Say something in the middle of a step, and show the step again."""
        print(f"\n      {text}\n{self._title}", end="", flush=True)

    def run(self, command: Sequence[object], env: Mapping[str, str], advice: str) -> None:
        """Run a command with its output in the log.

        Where it fails, raise CommandFailedError with its last lines and `advice`.
        """
        words = [str(word) for word in command]
        with self.log.open("ab") as log:
            log.write(f"\n$ {' '.join(words)}\n".encode())
            log.flush()
            begin = log.tell()
            status = self._wait(
                subprocess.Popen(words, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            )
        if status == 0:
            return
        with self.log.open("rb") as log:
            log.seek(begin)
            lines = log.read().decode(errors="replace").rstrip().splitlines()[-TAIL_LINES:]
        shown = "\n".join(f"    {line}" for line in lines)
        raise CommandFailedError(
            f"`{' '.join(words[:4])} ...` ended with status {status}. Its last lines:\n{shown}\n"
            f"What to do: {advice}\nThe whole log: {os.path.relpath(self.log)}"
        )

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        try:
            while True:
                try:
                    return process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    if start_of_line := self._again():
                        print(f"{start_of_line} {self._seconds()} s", end="", flush=True)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()

    def _seconds(self) -> int:
        return round(time.monotonic() - self._begin)

    def _again(self) -> str:
        """Return what shows the step's line again in its place; empty where that cannot be done."""
        fits = len(self._title) + len(" stopped after 9999 s") < shutil.get_terminal_size().columns
        return f"\r{self._title}" if sys.stdout.isatty() and fits else ""
