"""Keeps what numba compiled on disk, in files of `sim.engines.machine_code`, instead of numba's own cache."""

import pickle
import time
import warnings
from collections.abc import Callable
from typing import Any

from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from sim.engines import machine_code, speed


class KernelCache(NullCache):  # type: ignore[misc]
    """The disk cache of one kernel, as a dispatcher of numba uses it. What can't be read is compiled, what can't be written isn't kept."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.kernel = function.__module__.rpartition(".")[2]
        self._began = 0.0

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was compiled for a signature; None: compile it."""
        self._began = time.thread_time()
        target_context.refresh()
        code, damaged = machine_code.read(self.kernel, _key(sig, target_context.codegen()))
        if code is not None:
            try:
                found = CompileResult._rebuild(target_context, *pickle.loads(code))
                speed.note_load(time.thread_time() - self._began)
                return found
            except Exception:  # noqa: BLE001 (whole, yet not what this numba reads: whatever it raises, compile)
                damaged = True
        if damaged:
            warnings.warn(
                f"kept machine code of {self.kernel} is damaged: compiled again", RuntimeWarning, stacklevel=2
            )
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled for a signature."""
        speed.note_compile(self.kernel, time.thread_time() - self._began)
        machine_code.write(self.kernel, _key(sig, data.codegen), dumps(data._reduce()))


def _key(sig: Any, codegen: Any) -> str:
    """What machine code depends on besides its sources: types of the arguments, and the processor."""
    return repr((sig, codegen.magic_tuple()))
