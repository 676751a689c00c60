"""Ends a worker process when its parent has gone, however it went: no orphans go on computing for no one."""

import os
import threading
import time

EVERY_S = 0.5


def end_with(parent: int) -> None:
    """Watch the parent process from now on, in a thread of this worker, and end with it."""
    if os.name == "posix":  # elsewhere a parent's number doesn't tell
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(EVERY_S)
    os._exit(1)
