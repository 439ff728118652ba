"""Functions compiled once per machine: a later process reads what was compiled, and traces nothing.

torch.compile keeps its kernels, but to find them again it first interprets the Python of every
network: half a minute for ours. Here a function is traced once for each kind of arguments, and
torch's own standalone artifact of it is kept in our folder under a name that holds all it depends
on. Where that does not work the function is compiled in the usual way.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from vcam.gpu import compiled

Inputs = ParamSpec("Inputs")
Output = TypeVar("Output")
Run = Callable[..., Any]

log = logging.getLogger(__name__)


class CompileCached(Generic[Inputs, Output]):
    """A compiled function of tensors, whose kernels outlive the process.

    Every tensor that it uses is an argument, or a parameter or buffer of `owner`.
    """

    def __init__(
        self, function: Callable[Inputs, Output], owner: nn.Module | None = None, about: str = ""
    ) -> None:
        """`function` gives a tensor or a tuple of them, and says which in its annotation.

        `about` tells what else it depends on, apart from its source and from how `owner` is built.
        """
        self._function, self._owner, self._about = function, owner, about
        self._one = get_type_hints(function).get("return") is Tensor
        self._runs: dict[str, Run] = {}

    def __call__(self, *args: Inputs.args, **kwargs: Inputs.kwargs) -> Output:
        """As the function; the first call with arguments of a kind reads or compiles it."""
        assert not kwargs, kwargs
        if compiled.plain():
            return self._function(*args, **kwargs)
        kind = _kind(args)
        if kind not in self._runs:
            self._runs[kind] = self._prepared(kind, args)
        found: Output = self._runs[kind](*args)
        return found

    def _prepared(self, kind: str, args: tuple[object, ...]) -> Run:
        path = compiled.folder() / f"{self._name(kind)}.kept"
        artifact = self._attempt(lambda: _read(path)) if compiled.used(path) else None
        artifact = artifact or self._attempt(lambda: self._compiled(path, args))
        if artifact is None:
            return torch.compile(self._function, dynamic=False)
        return lambda *given: self._called(artifact, given)

    def _attempt(self, make: Callable[[], Run]) -> Run | None:
        try:
            return make()
        except Exception:  # whatever torch's unstable insides raise, there is another way
            log.warning("%s is not kept", self._function.__qualname__, exc_info=True)
            return None

    def _called(self, artifact: Run, args: tuple[object, ...]) -> object:
        tensors = [each for each in tree_flatten(args)[0] if isinstance(each, Tensor)]
        found = artifact(*self._weights().values(), *tensors)
        return found[0] if self._one else tuple(found)

    def _compiled(self, path: Path, args: tuple[object, ...]) -> Run:
        """Trace and compile it for such arguments, and keep that at `path`."""
        from torch._guards import TracingContext, tracing
        from torch._inductor import standalone_compile
        from torch._subclasses import FakeTensorMode
        from torch.fx.experimental.symbolic_shapes import ShapeEnv

        mode = FakeTensorMode(shape_env=ShapeEnv())
        with torch.inference_mode(False), torch.no_grad(), tracing(TracingContext(mode)):
            graph, fakes = self._traced(mode, args)
            artifact = standalone_compile(
                graph, fakes, dynamic_shapes="from_tracing_context", options={}
            )
        unfinished = path.with_suffix(f".{os.getpid()}")
        artifact.save(path=str(unfinished))
        unfinished.replace(path)
        return artifact

    def _traced(self, mode: Any, args: tuple[object, ...]) -> tuple[Any, list[Any]]:
        """Its graph over weights and tensors, and stand-ins for these that hold no values."""
        from torch.fx.experimental.proxy_tensor import make_fx

        weights, called = self._weights(), _Called(self._function, self._owner)
        leaves, shape = tree_flatten(args)
        places = [index for index, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]

        def flat(*tensors: Tensor) -> list[Tensor]:
            own = dict(zip(weights, tensors, strict=False))
            for place, tensor in zip(places, tensors[len(own) :], strict=True):
                leaves[place] = tensor
            out = torch.func.functional_call(called, own, tree_unflatten(leaves, shape))
            given = {id(tensor) for tensor in tensors}  # what is given back must be a copy
            return [each.clone() if id(each) in given else each for each in _several(out)]

        real = [*weights.values(), *(leaves[place] for place in places)]
        with mode:
            fakes = [
                torch.empty_strided(each.shape, each.stride(), dtype=each.dtype, device=each.device)
                for each in real
            ]
            graph = make_fx(flat)(*fakes)
        constants = [node.target for node in graph.graph.nodes if node.op == "get_attr"]
        if constants:
            raise ValueError(f"it makes tensors of its own: {constants}")
        return graph, fakes

    def _weights(self) -> dict[str, Tensor]:
        owner = self._owner
        if owner is None:
            return {}
        named = {**dict(owner.named_parameters()), **dict(owner.named_buffers())}
        return {f"owner.{name}": tensor for name, tensor in named.items()}

    def _name(self, kind: str) -> str:
        """All that the kernels depend on, as a digest."""
        function = f"{self._function.__module__}.{self._function.__qualname__}"
        matmul = torch.get_float32_matmul_precision()
        parts = (function, self._about, repr(self._owner), _kind(self._weights()), kind, matmul)
        return hashlib.sha256("\n".join((*parts, compiled.sources())).encode()).hexdigest()[:32]


class _Called(nn.Module):
    """A function as a module, for torch to exchange the weights of its owner."""

    def __init__(self, function: Callable[..., object], owner: nn.Module | None) -> None:
        super().__init__()
        self._function, self.owner = function, owner

    def forward(self, *args: object) -> object:
        return self._function(*args)


def _several(found: object) -> list[Tensor]:
    return [found] if isinstance(found, Tensor) else list(found)  # type: ignore[call-overload]  # a tuple of tensors


def _kind(tree: object) -> str:
    """What kernels depend on in arguments: shapes, strides, types, devices; numbers as they are."""
    leaves, shape = tree_flatten(tree)
    kinds = [
        f"{each.dtype} {each.device.type} {tuple(each.shape)} {each.stride()}"
        if isinstance(each, Tensor)
        else repr(each)
        for each in leaves
    ]
    return f"{shape} {kinds}"


def get_ready() -> None:
    """Import what reading takes, some seconds, before it is wanted."""
    with contextlib.suppress(ImportError):  # another torch: what is wanted then will tell
        importlib.import_module("torch._inductor.standalone_compile")


def _read(path: Path) -> Run:
    inductor: Any = importlib.import_module("torch._inductor")  # which declares no exports
    with torch.inference_mode(False):
        artifact: Run = inductor.CompiledArtifact.load(path=str(path))
    return artifact
