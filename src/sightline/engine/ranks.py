"""The processes that train together, from the point of view of one of them."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from typing import Any, Literal, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store, TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from sightline.engine.signals import StoppedError
from sightline.errors import SightlineError

Strategy = Literal["ddp", "fsdp"]
_TIMEOUT = timedelta(minutes=30)
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
FIRST_ATTEMPT = "0"
STORE_PORT = "SIGHTLINE_STORE_PORT"  # where a launcher has the store, which then outlives every rank
_LOOPBACK = "127.0.0.1"
_FAILURE = "failure"  # the key under which the first rank that fails says why


class LostRankError(SightlineError):
    """Another rank cannot be reached any more, and has not said why."""

    exit_code = 76  # as EX_PROTOCOL of sysexits.h; launchers tell by it who did not begin the failure


class Ranks:
    """Rank ``rank`` of ``size``, with its ``device``. One rank needs no process group.

    ``store`` is where ranks leave messages that reach the others also when no collective does any more.
    """

    def __init__(
        self,
        rank: int = 0,
        size: int = 1,
        device: torch.device | str = "cpu",
        store: Store | None = None,
    ) -> None:
        self.rank, self.size, self.device = rank, size, torch.device(device)
        self._store, self._failed = store, False
        self.failed_first = False
        """Whether what made all ranks fail came from this one."""
        self._control: Any = None
        self._asked: tuple[Tensor, Any] | None = None
        if size > 1:
            # Requests to stop are agreed on over the CPU, so that no GPU is waited for.
            self._control = dist.new_group(backend="gloo", timeout=_TIMEOUT)

    @property
    def is_main(self) -> bool:
        """Whether this one writes files."""
        return self.rank == 0

    def place(self, model: nn.Module, strategy: Strategy) -> nn.Module:
        """The model as it is to be called: on the device, and shared with the other ranks.

        With "fsdp" each rank holds a part of every parameter (FSDP2, ``fully_shard``): the parts of a
        ``Sequential`` or ``ModuleList`` are gathered one at a time.
        """
        model = model.to(self.device)
        if self.size == 1:
            return model
        if strategy == "fsdp":
            for child in model.modules():
                if child is not model and isinstance(child, nn.Sequential) and list(child.parameters()):
                    fully_shard(child)
            fully_shard(model)
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=ids)

    @contextmanager
    def gradients_kept_apart(self, model: nn.Module) -> Iterator[None]:
        """Inside, gradients are added up by each rank; the next backward outside makes them those of all."""
        if isinstance(model, DistributedDataParallel):
            with model.no_sync():
                yield
        elif isinstance(model, FSDPModule):
            model.set_requires_gradient_sync(False)
            try:
                yield
            finally:
                model.set_requires_gradient_sync(True)
        else:
            with nullcontext():
                yield

    def sum(self, values: Tensor) -> Tensor:
        """The sum of each value over the ranks, where the values are; no wait for a GPU."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, value: bool) -> bool:
        """Whether it is true on any rank; said over the CPU, and waited for."""
        if self.size == 1:
            return value
        answer = torch.tensor(value, dtype=torch.uint8)
        dist.all_reduce(answer, op=dist.ReduceOp.MAX, group=self._control)
        return bool(answer)

    def each(self, value: Any) -> list[Any]:
        """The value of every rank, in order, on every rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self._control)
        return values

    def from_main(self, value: Any) -> Any:
        """The main rank's value, on every rank."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0, group=self._control)
        return values[0]

    def agreed(self, signal: int, seconds: float) -> tuple[int, float]:
        """A signal that any rank got, and the main rank's clock, both as they were at the update before.

        All ranks get the same, so they stop, validate and save together; and as a whole update is given to
        the message for its way, it costs next to nothing.
        """
        if self.size == 1:
            return signal, seconds
        before = self._asked
        tensor = torch.tensor([signal, seconds if self.is_main else 0.0], dtype=torch.float64)
        work = dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=self._control, async_op=True)
        self._asked = tensor, work
        tensor, work = (
            before or self._asked
        )  # the first time there is none before, and this one is waited for
        work.wait()
        return int(tensor[0]), float(tensor[1])

    def share_buffers(self, model: nn.Module) -> None:
        """Give every rank the main rank's buffers: statistics of BatchNorm are of each rank's own batches."""
        if self.size > 1:
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    @contextmanager
    def failing_together(self) -> Iterator[None]:
        """Inside, what one rank fails with is raised by all, rather than the broken connections it causes.

        Raises:
            SightlineError: another rank has failed; the sentence is its reason.
            LostRankError: another rank is gone without a word.
        """
        try:
            yield
        except StoppedError:
            raise  # as all ranks do, at the same update
        except BaseException as error:
            if self.size == 1:
                raise
            self._failed = True
            if isinstance(error, KeyboardInterrupt):
                raise
            lost = _is_lost_connection(error)
            failure = self._first_failure(None if lost else error)
            if failure is None:
                reason = " ".join(str(error).split())[:200]
                raise LostRankError(
                    f"rank {self.rank}: another rank cannot be reached ({reason})."
                ) from error
            self.failed_first = failure["rank"] == self.rank
            if not lost and failure["error"] == sentence_of(error):
                raise
            raise SightlineError(f"rank {failure['rank']}: {failure['error']}") from error

    def _first_failure(self, error: BaseException | None) -> dict[str, Any] | None:
        """Who failed first, and why: this rank, with ``error``, unless another has said something before."""
        assert self._store is not None
        try:
            if error is not None:
                own = json.dumps({"rank": self.rank, "error": sentence_of(error)})
                return json.loads(self._store.compare_set(_FAILURE, "", own))
            return failure_in(self._store)
        except dist.DistError:  # the rank that had the store is gone
            return None

    def close(self) -> None:
        """Leave the group when all others do, as what started the ranks ends those that are left behind."""
        if self.size > 1 and dist.is_initialized() and not self._failed:
            if self._asked is not None:
                self._asked[1].wait()
            dist.barrier(self._control)
            dist.destroy_process_group()


def join_ranks(device: str = "auto") -> Ranks:
    """The ranks that a launcher started, by the variables that torchrun sets: RANK, WORLD_SIZE and so on.

    Ranks that are all on one machine (LOCAL_WORLD_SIZE) speak over its loopback interface alone.

    Raises:
        SightlineError: a device that is not there, or a variable that is missing.
    """
    size, rank = _number("WORLD_SIZE", 1), _number("RANK", 0)
    if not 0 <= rank < size:
        raise SightlineError(f"RANK: is {rank}, of WORLD_SIZE={size}; start all ranks by one launcher.")
    chosen = choose_device(device, _number("LOCAL_RANK", 0))
    if size == 1:
        return Ranks(rank, size, chosen)
    if _number("LOCAL_WORLD_SIZE", 0) == size:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    store = _join_store(rank)
    backend = "cpu:gloo,cuda:nccl" if chosen.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_TIMEOUT)
    return Ranks(rank, size, chosen, store)


def loopback_store(port: int = 0) -> TCPStore:
    """A store that only this machine can reach, at ``port`` or one that is free; left to itself it is open
    to the network."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((_LOOPBACK, port))
        listener.listen(1024)
        port = listener.getsockname()[1]
        return TCPStore(
            _LOOPBACK, port, is_master=True, wait_for_workers=False, master_listen_fd=listener.detach()
        )


def failure_in(store: Store) -> dict[str, Any] | None:
    """``rank`` and ``error`` of the first rank that failed, if one has."""
    return json.loads(store.get(_FAILURE)) if store.check([_FAILURE]) else None


def sentence_of(error: BaseException) -> str:
    """An error in one line, of other kinds than `SightlineError` with its name."""
    text = " ".join(str(error).split())
    return text if isinstance(error, SightlineError) else f"{type(error).__name__}: {text}".removesuffix(": ")


def _join_store(rank: int) -> Store:
    """The store at MASTER_ADDR: the launcher has it (torchrun may, and says so), or the main rank."""
    host, port = os.environ.get("MASTER_ADDR", _LOOPBACK), _number("MASTER_PORT", 29500)
    if STORE_PORT in os.environ:
        return PrefixStore(FIRST_ATTEMPT, TCPStore(_LOOPBACK, _number(STORE_PORT, 0), timeout=_TIMEOUT))
    is_host = rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    if is_host and host in (_LOOPBACK, "localhost"):
        store = loopback_store(port)
    else:
        store = TCPStore(host, port, is_master=is_host, wait_for_workers=False, timeout=_TIMEOUT)
    # Ranks that torchrun starts again must not read what those before have left.
    return PrefixStore(os.environ.get("TORCHELASTIC_RESTART_COUNT", FIRST_ATTEMPT), store)


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, str(default))
    if not text.isdecimal():
        raise SightlineError(f"{variable}: is '{text}' in the environment, which is no number.")
    return int(text)


def _is_lost_connection(error: BaseException) -> bool:
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of that name; "auto" is the rank's GPU where there is one.

    Raises:
        SightlineError: it is no device, or not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda":
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SightlineError(f"trainer.device: '{name}' is no device; choose auto, cpu or cuda.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SightlineError(f"trainer.device: there is no {name}, as {count} GPU(s) are here; choose auto.")
    return device


def bare(model: nn.Module) -> nn.Module:
    """The model itself, without what compiles it or shares it between ranks."""
    while True:
        if isinstance(model, DistributedDataParallel):
            model = model.module
        elif isinstance(model, torch._dynamo.OptimizedModule):
            model = model._orig_mod
        else:
            return model


def whole_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights by name, whole and under the names of the bare model; on a CPU when sharded.

    Every rank has to call it.
    """
    model = bare(model)
    if isinstance(model, FSDPModule):
        return cast(dict[str, Tensor], get_model_state_dict(model, options=_WHOLE))
    return model.state_dict()


def own_part(tensor: Tensor) -> Tensor:
    """What this rank has of a tensor: all, unless it is sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def whole(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, of which each rank may have a part, whole. Every rank has to call it."""
    return {
        name: tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        for name, tensor in tensors.items()
    }


def set_whole(tensors: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    """Set tensors, of which each rank may have a part, to what `whole` gave. Every rank has to call it."""
    for name, tensor in tensors.items():
        value = values[name].to(tensor.device)
        if isinstance(tensor, DTensor):
            value = distribute_tensor(value, tensor.device_mesh, tensor.placements)
        tensor.copy_(value)


def set_whole_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Set weights that `whole_weights` gave.

    Raises:
        SightlineError: they have other names or shapes than the model's.
    """
    model = bare(model)
    try:
        if isinstance(model, FSDPModule):
            options = StateDictOptions(full_state_dict=True)
            set_model_state_dict(model, cast(dict[str, Any], weights), options=options)
        else:
            model.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise SightlineError(f"the weights are not those of the spec's model ({reason}).") from error


def whole_optimizer_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's state, whole. Every rank has to call it."""
    model = bare(model)
    if isinstance(model, FSDPModule):
        return get_optimizer_state_dict(model, optimizer, options=_WHOLE)
    return optimizer.state_dict()


def set_whole_optimizer_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> None:
    """Set a state that `whole_optimizer_state` gave."""
    model = bare(model)
    if isinstance(model, FSDPModule):
        set_optimizer_state_dict(model, optimizer, state, options=StateDictOptions(full_state_dict=True))
    else:
        optimizer.load_state_dict(state)
