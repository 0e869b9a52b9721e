"""More memory for a job that ran out of it: never less, never above the cap, and on Fargate a legal size."""

from __future__ import annotations

import re
from itertools import pairwise

import botocore.session
import pytest
from botocore.model import StructureShape
from hypothesis import given
from hypothesis import strategies as st

from reprise_batch.memory import FARGATE, JobSize, grown

legal_sizes = st.sampled_from(
    [
        JobSize(vcpus=vcpus, memory_mib=memory_mib)
        for vcpus, all_mib in FARGATE.items()
        for memory_mib in all_mib
    ]
)
any_sizes = st.builds(
    JobSize, vcpus=st.sampled_from([0.25, 1.0, 3.0, 96.0]), memory_mib=st.integers(4, 10_000_000)
)
factors = st.floats(1.01, 10.0)
caps_mib = st.integers(4, 300_000)


def test_table_of_fargate_is_that_of_the_batch_api_reference() -> None:
    """AWS Batch API reference, ResourceRequirement, `value` of `VCPU`, as the SDK's model quotes it."""
    model = botocore.session.get_session().get_service_model("batch")
    shape = model.shape_for("ResourceRequirement")
    assert isinstance(shape, StructureShape)
    text = re.sub(r"<[^>]+>", " ", shape.members["value"].documentation)
    said = text.split("The supported values are")[1]
    pairs = re.findall(r"value = ([0-9.]+)\s+MEMORY\s+= ([0-9, or]+)", said)
    assert {
        float(vcpus): tuple(int(number) for number in re.findall(r"\d+", numbers))
        for vcpus, numbers in pairs
    } == FARGATE


@pytest.mark.parametrize(
    ("size", "factor", "cap_mib", "may_add", "expected"),
    [
        pytest.param((0.25, 512), 2, 8192, False, (0.25, 1024), id="doubled"),
        pytest.param((0.25, 512), 1.5, 8192, False, (0.25, 1024), id="rounded-up"),
        pytest.param((0.5, 1024), 4, 3000, False, (0.5, 2048), id="largest-below-the-cap"),
        pytest.param((0.25, 2048), 2, 8192, False, None, id="no-more-with-these-vcpus"),
        pytest.param((0.25, 2048), 2, 8192, True, (0.5, 4096), id="next-vcpus"),
        pytest.param((0.25, 2048), 4, 8192, True, (1.0, 8192), id="vcpus-after-next"),
        pytest.param((0.25, 1024), 4, 8192, True, (0.5, 4096), id="as-much-as-wanted"),
        pytest.param((4.0, 30720), 1.1, 40960, True, (8.0, 36864), id="steps-of-four-gib"),
        pytest.param((1.0, 8192), 2, 8192, True, None, id="at-the-cap"),
        pytest.param((1.0, 8192), 2, 4096, True, None, id="above-the-cap"),
        pytest.param((32.0, 249856), 2, 999999, True, None, id="most-that-there-is"),
        pytest.param((3.0, 4096), 2, 8192, False, None, id="vcpus-that-fargate-does-not-know"),
    ],
)
def test_fargate_gives_the_next_legal_size(
    size: tuple[float, int],
    factor: float,
    cap_mib: int,
    may_add: bool,
    expected: tuple[float, int] | None,
) -> None:
    found = grown(
        JobSize(vcpus=size[0], memory_mib=size[1]),
        factor=factor, cap_mib=cap_mib, is_fargate=True, may_add_vcpus=may_add,
    )  # fmt: skip
    assert (None if found is None else (found.vcpus, found.memory_mib)) == expected


@pytest.mark.parametrize(
    ("memory_mib", "factor", "cap_mib", "expected"),
    [
        (1000, 1.5, 4000, 1500),
        (1001, 1.5, 4000, 1502),
        (3000, 2, 4000, 4000),
        (4000, 2, 4000, None),
    ],
)
def test_instances_give_any_number_up_to_the_cap(
    memory_mib: int, factor: float, cap_mib: int, expected: int | None
) -> None:
    found = grown(JobSize(vcpus=3.0, memory_mib=memory_mib), factor=factor, cap_mib=cap_mib)
    assert (None if found is None else found.memory_mib) == expected
    assert found is None or found.vcpus == 3.0


@given(size=legal_sizes, factor=factors, cap_mib=caps_mib, may_add=st.booleans())
def test_on_fargate_memory_grows_to_a_legal_size_below_the_cap(
    size: JobSize, factor: float, cap_mib: int, may_add: bool
) -> None:
    found = grown(size, factor=factor, cap_mib=cap_mib, is_fargate=True, may_add_vcpus=may_add)
    if found is None:
        return
    assert size.memory_mib < found.memory_mib <= cap_mib
    assert found.memory_mib in FARGATE[found.vcpus]
    assert found.vcpus >= size.vcpus
    assert may_add or found.vcpus == size.vcpus


@given(size=legal_sizes, factor=factors, cap_mib=caps_mib)
def test_vcpus_are_added_only_where_what_there_is_does_not_do(
    size: JobSize, factor: float, cap_mib: int
) -> None:
    kept = grown(size, factor=factor, cap_mib=cap_mib, is_fargate=True)
    added = grown(size, factor=factor, cap_mib=cap_mib, is_fargate=True, may_add_vcpus=True)
    if kept is not None and kept.memory_mib >= size.memory_mib * factor:
        assert added == kept


@given(size=any_sizes, factor=factors, cap_mib=caps_mib)
def test_on_instances_memory_grows_below_the_cap_and_vcpus_stay(
    size: JobSize, factor: float, cap_mib: int
) -> None:
    found = grown(size, factor=factor, cap_mib=cap_mib)
    if found is None:
        assert size.memory_mib >= cap_mib
    else:
        assert size.memory_mib < found.memory_mib <= cap_mib
        assert found.vcpus == size.vcpus


@given(
    size=legal_sizes,
    factor=factors,
    cap_mib=caps_mib,
    is_fargate=st.booleans(),
    may_add=st.booleans(),
)
def test_a_chain_of_growth_comes_to_an_end(
    size: JobSize, factor: float, cap_mib: int, is_fargate: bool, may_add: bool
) -> None:
    chain = [size]
    while len(chain) < 2_000:
        found = grown(
            chain[-1], factor=factor, cap_mib=cap_mib, is_fargate=is_fargate, may_add_vcpus=may_add
        )
        if found is None:
            break
        chain.append(found)
    assert len(chain) < 2_000
    assert all(before.memory_mib < after.memory_mib for before, after in pairwise(chain))
