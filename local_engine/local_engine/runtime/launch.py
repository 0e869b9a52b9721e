"""Become the program of an environment, one that ends when the engine does.

Started by path with the arguments: process id of the engine, program, its arguments. Imports nothing of
this package; ``bootstrap.py`` does the same for Python functions, and saves them a start.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
NOT_STARTED = 126


def main(engine_pid: int, command: list[str]) -> None:
    """Tie this process to the engine's life and become the program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != engine_pid:
        sys.exit(1)
    try:
        os.execv(command[0], command)  # noqa: S606 - the function's own program
    except OSError as error:
        # Lambda's words, which a developer may search for.
        print(f"fork/exec {command[0]}: {(error.strerror or '').lower()}")  # noqa: T201
        sys.exit(NOT_STARTED)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
