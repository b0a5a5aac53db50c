"""The mesh: where devices have places, those that share weights are neighbours."""

from dataclasses import dataclass
from itertools import pairwise

import jax
import pytest

from elf.devices import ProcessArguments, make_mesh
from elf.errors import ConfigError, UsageError


@dataclass(frozen=True)
class Chip:
    """What JAX asks of a device to place it."""

    id: int
    coords: tuple[int, int, int]
    process_index: int
    platform: str = "tpu"
    device_kind: str = "TPU v5"
    core_on_chip: int = 0


def slice_of_chips(x, y, z):
    """Chips of a TPU slice in the order in which JAX names them, four of them a host's."""
    places = [(i, j, k) for k in range(z) for j in range(y) for i in range(x)]
    return [
        Chip(number, place, place[0] // 2 + x // 2 * (place[1] // 2) + x * y // 4 * place[2])
        for number, place in enumerate(places)
    ]


def hops(a, b, sides):
    """Links between two chips of a torus."""
    return sum(min((p - q) % side, (q - p) % side) for p, q, side in zip(a.coords, b.coords, sides, strict=True))


@pytest.mark.parametrize(("sides", "fsdp"), [((4, 4, 4), 4), ((4, 4, 2), 4), ((4, 4, 4), 2)])
def test_devices_that_share_weights_are_neighbours(sides, fsdp):
    mesh = make_mesh(fsdp, slice_of_chips(*sides))
    assert mesh.shape == {"data": len(mesh.devices), "fsdp": fsdp}
    assert len({device.id for device in mesh.devices.flat}) == mesh.size
    for row in mesh.devices:
        ring = [*row, row[0]]
        assert all(hops(a, b, sides) == 1 for a, b in pairwise(ring))


def test_devices_without_places_keep_their_order():
    devices = jax.devices()
    assert [*make_mesh(1, devices).devices.flat] == devices


@pytest.mark.parametrize("fsdp", [0, 3])
def test_a_number_that_does_not_divide_is_refused(fsdp):
    with pytest.raises(ConfigError, match=f"fsdp is {fsdp}"):
        make_mesh(fsdp, slice_of_chips(2, 2, 1))


@pytest.mark.parametrize("given", [{"processes": 2}, {"process_id": 0}, {"processes": 2, "process_id": 1}])
def test_a_process_of_several_that_is_told_no_coordinator_does_not_run_alone(given):
    with pytest.raises(UsageError, match="no --coordinator"):
        ProcessArguments(**given).join_processes()
    ProcessArguments().join_processes()
