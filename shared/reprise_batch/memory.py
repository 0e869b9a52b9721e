"""Give a job that ran out of memory more of it: pure.

Fargate knows certain pairs of vCPUs and memory, and no others; instances take any.

Source: AWS Batch API reference, ResourceRequirement (`value` of `MEMORY` and of `VCPU`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


def _steps(first_mib: int, last_mib: int, step_mib: int = 1024) -> tuple[int, ...]:
    return tuple(range(first_mib, last_mib + 1, step_mib))


FARGATE: Final[dict[float, tuple[int, ...]]] = {
    0.25: (512, 1024, 2048),
    0.5: _steps(1024, 4096),
    1.0: _steps(2048, 8192),
    2.0: _steps(4096, 16_384),
    4.0: _steps(8192, 30_720),
    8.0: _steps(16_384, 61_440, 4096),
    16.0: _steps(32_768, 122_880, 8192),
    32.0: (61_440, 122_880, 249_856),
}
"""The legal amounts of memory in MiB by vCPUs, both from the least up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSize:
    """What a job's container is given."""

    vcpus: float
    memory_mib: int


def grown(
    size: JobSize,
    *,
    factor: float,
    cap_mib: int,
    is_fargate: bool = False,
    may_add_vcpus: bool = False,
) -> JobSize | None:
    """Return the size for another run; None if there is none with more memory.

    Args:
        size: What it had when it ran out.
        factor: Growth that is wanted, above 1.
        cap_mib: Most memory.
        is_fargate: Whether only Fargate's pairs will do: the next one that is large enough, or the largest.
        may_add_vcpus: Whether a pair with more vCPUs will do, if those of the job have no such memory.
    """
    wanted_mib = min(cap_mib, math.ceil(size.memory_mib * factor))
    if not is_fargate:
        is_more = wanted_mib > size.memory_mib
        return JobSize(vcpus=size.vcpus, memory_mib=wanted_mib) if is_more else None
    larger = [
        JobSize(vcpus=vcpus, memory_mib=memory_mib)
        for vcpus, amounts in FARGATE.items()
        if vcpus == size.vcpus or (may_add_vcpus and vcpus > size.vcpus)
        for memory_mib in amounts
        if size.memory_mib < memory_mib <= cap_mib
    ]
    enough = [each for each in larger if each.memory_mib >= wanted_mib]
    return enough[0] if enough else max(larger, key=lambda each: each.memory_mib, default=None)
