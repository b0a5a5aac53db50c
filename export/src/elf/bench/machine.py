"""The machine a benchmark runs on: what it is, how fast it multiplies matrices, and how functions are timed fairly."""

import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from elf.progress import say


def machine_facts() -> dict[str, Any]:
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "device": device.device_kind,
        "devices": jax.device_count(),
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "jax": jax.__version__,
    }


class Timings(NamedTuple):
    """Seconds of some calls of one function."""

    wall: list[float]
    processor: list[float]
    """Of all threads of this process. On a CPU that other work shares, it is the steadier of the two."""


def seconds_of(function: Callable[[], Any]) -> float:
    """Wall time of one call, its arrays awaited."""
    begin = time.perf_counter()
    jax.block_until_ready(function())
    return time.perf_counter() - begin


def interleaved(functions: Mapping[str, Callable[[], Any]], repeats: int, warm_up: bool = True) -> dict[str, Timings]:
    """Times of `repeats` calls of each function, in turns, so that a busy moment of the machine hits all alike.

    `warm_up`: one call of each comes before and is not counted. Every other round runs in reverse order.
    """
    for function in functions.values() if warm_up else ():
        jax.block_until_ready(function())
    timings = {name: Timings([], []) for name in functions}
    for round_number in range(repeats):
        names = list(functions)
        for name in names if round_number % 2 == 0 else reversed(names):
            busy = time.process_time()
            timings[name].wall.append(seconds_of(functions[name]))
            timings[name].processor.append(time.process_time() - busy)
    return timings


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    """The median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def matmul_peak(dtype: str, longest: float = 2.0) -> dict[str, float]:
    """The fastest square matrix product found, as FLOP/s and its size; sizes double until one takes too long.

    Operands are `dtype`, sums float32, as in the networks. About `longest` seconds go into each size at most.
    """
    multiply = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.float32))
    best, best_size, size = 0.0, 0, 512
    while size <= 16384:
        a = jnp.ones((size, size), dtype)
        jax.block_until_ready(multiply(a, a))
        call = partial(multiply, a, a)
        first = seconds_of(call)
        times = [first, *(seconds_of(call) for _ in range(min(20, int(longest / 2 / first))))]
        rate = 2 * size**3 / min(times)
        if rate > best:
            best, best_size = rate, size
        if 8 * first > longest / 2:
            break
        size *= 2
    say(f"matrix products reach {best / 1e9:.0f} GFLOP/s in {dtype}")
    return {"flops_per_second": best, "size": best_size}


def peak_memory_bytes() -> int:
    """Largest memory so far: of the accelerator where it tells, else of this process."""
    stats = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return stats["peak_bytes_in_use"]
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024
