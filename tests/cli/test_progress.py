"""How a run is stopped."""

from __future__ import annotations

import os
import signal
import time

import pytest

from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def test_kill_is_ctrl_c_for_the_run_and_itself_for_processes_that_are_forked_from_it() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
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
        with pytest.raises(KeyboardInterrupt) as stop:
            signal.raise_signal(signal.SIGTERM)
        assert exit_code_of(stop.value) == 143
        signal.raise_signal(signal.SIGHUP)  # some systems send it, too: the run is ending already
        with pytest.raises(KeyboardInterrupt) as stop:
            signal.raise_signal(signal.SIGINT)
        assert exit_code_of(stop.value) == 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
