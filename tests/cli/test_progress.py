"""How a run is stopped."""

from __future__ import annotations

import os
import signal
import time

import pytest

from eval.cli.progress import stop_like_ctrl_c


def test_kill_is_ctrl_c_for_the_run_and_itself_for_processes_that_are_forked_from_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        stop_like_ctrl_c()
        ready, started = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(started, b"x")
                time.sleep(30)
            finally:
                os._exit(1)  # reached if an exception was raised
        assert os.read(ready, 1) == b"x"  # a signal that comes while Python forks is lost
        os.kill(child, signal.SIGTERM)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
