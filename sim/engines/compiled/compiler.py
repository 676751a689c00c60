"""How the functions of this package are compiled, and a NamedTuple that is passed by reference.

Only this package imports numba. The first call of a kernel compiles it (some seconds, once a machine: see `sim.engines.machine_code`).

numba passes a NamedTuple as all its arrays, each as seven numbers: with those that a platform has, that is a thousand arguments of
every call, which take longer to compile than what the functions do. `by_reference` makes it one: the address of the tuple.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numba
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    infer_getattr,
    lower_builtin,
    lower_getattr_generic,
    register_jitable,
    register_model,
    type_callable,
)

from sim.engines.compiled.kernel_cache import KernelCache

# Counting references to arrays would cost ten times the loop itself. numba's switch for that (_nrt) is undocumented; with
# it, nothing here may allocate. The default tests compare engines bit for bit, so its loss would show as slowness only.
# Only kernels are called from Python: for the others, code that converts arguments would be a third of what is compiled.
_KERNEL = {"nogil": True, "error_model": "numpy", "_nrt": False, "no_cfunc_wrapper": True}
_OPTIONS = _KERNEL | {"no_cpython_wrapper": True}

_kernel = numba.njit(**_KERNEL)
_function = numba.njit(**_OPTIONS)
_inlined_function = numba.njit(forceinline=True, **_OPTIONS)

Value = TypeVar("Value")


def compiled(function: Callable[..., Any]) -> Any:
    """A function that kernels call."""
    return _once_for_constants(_function(function))


def inlined(function: Callable[..., Any]) -> Any:
    """A small function, or one that a hot loop calls in one place: its machine code is put wherever it is called."""
    return _once_for_constants(_inlined_function(function))


def _once_for_constants(made: Any) -> Any:
    """The function, not compiled again for each constant that it is called with, as numba does."""
    if not numba.config.DISABLE_JIT:
        template = made.get_call_template
        made.get_call_template = lambda args, kws: template(tuple(map(numba.types.unliteral, args)), kws)
    return made


def cached(function: Callable[..., Any]) -> Any:
    """A kernel: compiled at its first call, and kept on disk."""
    kernel = _kernel(function)
    kernel._cache = KernelCache(function)
    return kernel


def compile_rules(*rules: Callable[..., Any]) -> None:
    """Let kernels call functions of `sim.engines.shared`, which SimPy calls as they are."""
    for rule in rules:
        register_jitable(**_OPTIONS)(rule)


def by_reference(value: Value) -> Value:
    """A NamedTuple whose attributes are read where it stands, in the kernel that calls this; its parts are references, too."""
    return value


class _Reference(numba.types.CPointer):  # type: ignore[misc]
    """The type of what `by_reference` returns."""


register_model(_Reference)(models.PointerModel)


@type_callable(by_reference)
def _type_of_reference(_context: Any) -> Callable[[Any], Any]:
    return lambda value: _Reference(value) if isinstance(value, numba.types.BaseNamedTuple) else None


@lower_builtin(by_reference, numba.types.BaseNamedTuple)
def _make_reference(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    model = context.data_model_manager[sig.args[0]]
    place = cgutils.alloca_once(builder, model.get_data_type())
    builder.store(model.as_data(builder, args[0]), place)
    # The optimizer must not see that loads of what never changes come from here: it would take them for loads before the store.
    opaque = cgutils.ir.FunctionType(place.type, [place.type])
    return builder.asm(opaque, "", "=r,0,~{memory}", [place], True)


@infer_getattr
class _Attributes(AttributeTemplate):  # type: ignore[misc]
    key = _Reference

    def generic_resolve(self, reference: Any, name: str) -> Any:
        fields = dict(zip(reference.dtype.fields, reference.dtype.types, strict=True))
        found = fields.get(name)
        return _Reference(found) if isinstance(found, numba.types.BaseNamedTuple) else found


@lower_getattr_generic(_Reference)
def _read_attribute(context: Any, builder: Any, reference: Any, value: Any, name: str) -> Any:
    place = reference.dtype.fields.index(name)
    at = cgutils.gep_inbounds(builder, value, 0, place)
    found = reference.dtype.types[place]
    if isinstance(found, numba.types.BaseNamedTuple):
        return at
    before = len(builder.block.instructions)
    loaded = context.data_model_manager[found].load_from_data_pointer(builder, at)
    for instruction in builder.block.instructions[before:]:
        if instruction.opname == "load":  # a tuple never changes, whatever is written to its arrays
            instruction.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded
