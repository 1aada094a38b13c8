"""Several processes that train one model together: `torchrun --nproc-per-node N -m training...`.

On a CPU, N processes of one thread each are faster than one process of N threads: the models are
small, and most of a step is many short operations.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lisa_ros.errors import ConfigurationError
from training.network_interface import interface_towards

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """Where this process stands among those that train together; alone it is rank 0 of 1.

    local_rank: its number on its own machine.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this process is the one that reports and writes."""
        return self.rank == 0

    @property
    def one_machine(self) -> bool:
        """Whether all ranks are on this machine, as torchrun or else deepspeed says."""
        here = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("LOCAL_SIZE", "1")
        return int(here) == self.world

    @property
    def first_here(self) -> bool:
        """Whether this process is the one of its machine that writes what machines do not share."""
        return self.local_rank == 0

    @property
    def device(self) -> torch.device:
        """The GPU of this rank's number on its machine, or the CPU."""
        if torch.cuda.is_available():
            return torch.device("cuda", self.local_rank)
        return torch.device("cpu")

    def wait(self) -> None:
        """Wait until all ranks are here."""
        if self.world > 1:
            dist.barrier()

    def share(self, count: int) -> int:
        """How many of `count` samples fall to each rank.

        Raises:
            ConfigurationError: they cannot be shared evenly.

        """
        if count % self.world:
            raise ConfigurationError(
                f"{count} images a step cannot be shared evenly by {self.world} processes; "
                "choose a multiple."
            )
        return count // self.world

    @torch.no_grad()
    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the ranks; one that is lacking counts as 0.

        Alone too: an optimizer passes over what has no gradient, but moves on with one of 0.
        """
        learned = list(parameters)
        for parameter in learned:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        parts = torch.split(flat / self.world, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def gather(self, values: list[T]) -> list[T]:
        """The values of all ranks behind each other."""
        return [value for part in self.gather_each(values) for value in part]

    def gather_each(self, value: T) -> list[T]:
        """One value of each rank, in the order of the ranks; anything that can be pickled."""
        if self.world == 1:
            return [value]
        gathered: list[T] = [value] * self.world
        dist.all_gather_object(gathered, value)
        return gathered

    def mean(self, parts: Mapping[str, Tensor]) -> dict[str, float]:
        """The parts of a loss, averaged over the ranks."""
        values = torch.stack([part.detach().float() for part in parts.values()])
        if self.world > 1:
            dist.all_reduce(values)
        return dict(zip(parts, (values / self.world).tolist(), strict=True))


ALONE = Ranks()
_PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that `torchrun` or `deepspeed` started; alone where neither did.

    Raises:
        ConfigurationError: something else started several, or more than this machine has GPUs.

    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield ALONE
        return
    _die_with_launcher()
    local_rank = _local_rank(world)
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank)
    if not Ranks(world=world).one_machine:
        _let_gloo_reach(os.environ["MASTER_ADDR"])
    # Values on the GPU travel by NCCL, those on the CPU by Gloo.
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ranks(dist.get_rank(), world, local_rank)
    finally:
        dist.destroy_process_group()


def _local_rank(world: int) -> int:
    if "LOCAL_RANK" not in os.environ:
        raise ConfigurationError(
            f"WORLD_SIZE is {world}, but LOCAL_RANK is not set: start with torchrun or deepspeed, "
            "or unset WORLD_SIZE to train with one process."
        )
    local_rank = int(os.environ["LOCAL_RANK"])
    if torch.cuda.is_available() and local_rank >= torch.cuda.device_count():
        raise ConfigurationError(
            f"Process {local_rank} of this machine, counted from 0, has no GPU: there are "
            f"{torch.cuda.device_count()}. Start one process for each."
        )
    return local_rank


def _let_gloo_reach(host: str) -> None:
    """Tell Gloo which network to use, unless somebody has.

    It would take the address that this machine's name has on itself, which is often a loopback's.
    """
    interface = interface_towards(host)
    if interface is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)


def _die_with_launcher() -> None:
    """Let Linux kill this process when its launcher is dead.

    A launcher that is killed does not end its ranks. They would train on, and write their states
    where those of the next start write theirs.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
