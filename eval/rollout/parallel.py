"""A function of ours over many jobs, in processes that never import the program they were started from."""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from eval.backends.protocol import live_with_parent
from eval.rollout.processes import Process, start_own

Job = TypeVar("Job")
Result = TypeVar("Result")


def map_in_processes(function: Callable[[Job], Result], jobs: Sequence[Job], processes: int) -> list[Result]:
    """``[function(job) for job in jobs]``.

    Args:
        function: of a module of ours.
        jobs: one argument a call; pickled, like the results.
        processes: how many work at a time.

    Raises:
        Exception: what ``function`` raised, or ``RuntimeError`` if a process died.
    """
    with _workers(min(processes, len(jobs))) as idle, ThreadPoolExecutor(max(1, idle.qsize())) as threads:

        def call(job: Job) -> Result:
            process, connection = worker = idle.get()
            try:
                connection.send((function, job))
                done, value = connection.recv()
            except (EOFError, ConnectionError) as error:
                process.join(2.0)
                raise RuntimeError(f"a process of {function.__name__} ended with code {process.exitcode}") from error
            finally:
                idle.put(worker)
            if not done:
                raise value
            result: Result = value
            return result

        return list(threads.map(call, jobs))


@contextmanager
def _workers(count: int) -> Iterator[queue.Queue[tuple[Process, Connection]]]:
    started = [start_own(_serve, os.getpid()) for _ in range(count)]
    idle: queue.Queue[tuple[Process, Connection]] = queue.Queue()
    for worker in started:
        idle.put(worker)
    try:
        yield idle
    finally:
        for process, connection in started:
            connection.close()
            process.kill()
            process.join()


def _serve(connection: Connection, parent: int) -> None:
    """In the process: answer every call until the parent is gone."""
    live_with_parent(parent)
    while True:
        try:
            function, job = connection.recv()
        except (EOFError, ConnectionError):
            return
        answer: tuple[bool, Any]
        try:
            answer = True, function(job)
        except Exception as error:
            answer = False, error
        connection.send(answer)
