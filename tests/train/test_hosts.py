"""The devices of several processes."""

from types import SimpleNamespace

import jax
import pytest

from jaxae.errors import UsageError
from jaxae.train import hosts


def devices_of(monkeypatch, *processes):
    """JAX finds devices of these processes, of which there are two."""
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(jax, "devices", lambda _: [SimpleNamespace(process_index=process) for process in processes])


def test_as_many_devices_are_taken_of_each_process(monkeypatch):
    devices_of(monkeypatch, 0, 0, 0, 1)
    assert [device.process_index for device in hosts.chosen(2)] == [0, 1]
    with pytest.raises(UsageError, match=r"^4 devices are 2 of each process, and one has fewer; ask for fewer$"):
        hosts.chosen(4)
    with pytest.raises(UsageError, match=r"^3 devices can't be shared evenly by 2 processes; ask for a multiple of 2$"):
        hosts.chosen(3)
