"""PyTorch: the digest of a state dict, what decides whether a training is repeatable, and models as outputs of a run.

    with tracer.start_run("fit") as run:
        capture(run)
        ...  # train
        log_model(run, model)

`capture` is called once everything is seeded and set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from blockchaintracer.core.errors import InputError, NotVerified
from blockchaintracer.extras.frameworks.framework_run import log_digest
from blockchaintracer.extras.frameworks.training_state import (
    StateDigest,
    Tensor,
    differences,
    digest_state,
    refused,
    tensor_of,
)
from blockchaintracer.lab.datasets import little_endian
from blockchaintracer.lab.optional import require
from blockchaintracer.lab.plain_text import named
from blockchaintracer.lab.traced_run import TracedRun

_BLOCK = 1 << 24


def digest_state_dict(state: Any) -> StateDigest:
    """Digest a model's or optimizer's state. The digest is equal on every device and for every file format.

    Names are sorted; a tensor counts by type, shape and the bits of its values, NaNs too. Whether two names share one
    tensor does not count: files and devices may keep it or not. bfloat16, float8 and complex tensors are supported.

    Args:
        state: a module, or what ``state_dict()`` gives, also of an optimizer.

    Raises:
        InputError: naming the tensor, if it is sparse, quantised, nested or on no device (meta), or of a subclass that
            may hold more than its values (DTensor), and for other objects.
    """
    torch = require("torch", "torch")
    if isinstance(state, torch.nn.Module):
        state = state.state_dict()
    if not isinstance(state, Mapping):
        raise InputError(f"state: expected a module or a state dict, got {type(state).__qualname__}", field="state")
    return digest_state(state, _tensor)


def check_state(state: Any, document: bytes) -> None:
    """Compare a model with the document of its recorded state."""
    digest = digest_state_dict(state)
    if digest.document != document:
        names = differences(document, digest.document)
        raise NotVerified(f"expected the recorded state, got one that differs in {named(names, 10)}", names=names)


def log_model(run: TracedRun, model: Any, name: str = "model") -> StateDigest:
    """Log a model: its state as ``NAME.pt``, of role ``model``, and the state's document as ``NAME.state.json``."""
    torch = require("torch", "torch")
    state = model.state_dict() if isinstance(model, torch.nn.Module) else model
    return _log_saved(run, state, state, name, "model")


def log_checkpoint(run: TracedRun, checkpoint: Mapping[str, Any], name: str = "checkpoint") -> StateDigest:
    """Log a checkpoint, such as ``{"model": …, "optimizer": …, "epoch": 3}``, as ``NAME.pt`` of role ``checkpoint``,
    and its document as ``NAME.state.json``. A name that is taken is numbered: ``checkpoint-2.pt``."""
    return _log_saved(run, checkpoint, dict(checkpoint), name, "checkpoint")


def _log_saved(run: TracedRun, state: Any, saved: Any, name: str, role: str) -> StateDigest:
    # another state may have the name already
    path = run.place(f"{name}.pt", unused=True)
    require("torch", "torch").save(saved, path)
    run.log_output(path, role=role)
    return log_state(run, state, path.stem)


def log_state(run: TracedRun, state: Any, name: str) -> StateDigest:
    """Log the document of a state as ``NAME.state.json``, of role ``state``. The caller logs the file of the state."""
    return log_digest(run, digest_state_dict(state), name)


def capture(run: TracedRun) -> dict[str, Any]:
    """Log `settings` under the seeds of the run, as ``torch``."""
    values = settings()
    run.log_seed("torch", values)
    return values


def settings() -> dict[str, Any]:
    """Read what decides whether this process computes the same again, as plain values.

    Returns:
        ``version``, ``cuda``, ``cudnn``, ``hip`` (of the build, or None), ``cudaAvailable``, ``devices`` (names),
        ``initialSeed`` and ``cudaInitialSeeds`` (text, as they may exceed 2^53), ``deterministicAlgorithms``,
        ``warnOnly``, ``cudnnDeterministic``, ``cudnnBenchmark``, ``cudnnAllowTf32``, ``matmulAllowTf32``,
        ``matmulPrecision``, ``defaultDtype``, ``threads`` and ``interopThreads``.
    """
    torch = require("torch", "torch")
    available = torch.cuda.is_available()
    devices = range(torch.cuda.device_count()) if available else ()
    cudnn = torch.backends.cudnn
    return {
        "version": str(torch.__version__),
        "cuda": torch.version.cuda,
        "hip": getattr(torch.version, "hip", None),
        "cudnn": cudnn.version() if cudnn.is_available() else None,
        "cudaAvailable": available,
        "devices": [torch.cuda.get_device_name(index) for index in devices],
        "initialSeed": str(torch.initial_seed()),
        "cudaInitialSeeds": [str(torch.cuda.default_generators[index].initial_seed()) for index in devices],
        "deterministicAlgorithms": torch.are_deterministic_algorithms_enabled(),
        "warnOnly": torch.is_deterministic_algorithms_warn_only_enabled(),
        "cudnnDeterministic": cudnn.deterministic,
        "cudnnBenchmark": cudnn.benchmark,
        "cudnnAllowTf32": cudnn.allow_tf32,
        "matmulAllowTf32": torch.backends.cuda.matmul.allow_tf32,
        "matmulPrecision": torch.get_float32_matmul_precision(),
        "defaultDtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "interopThreads": torch.get_num_interop_threads(),
    }


def _tensor(name: str, value: Any) -> Tensor | None:
    torch = require("torch", "torch")
    if not isinstance(value, torch.Tensor):
        return None
    if value.is_nested or value.layout is not torch.strided:
        raise refused(name, f"a dense tensor, got a {'nested' if value.is_nested else value.layout} one")
    if value.is_quantized:
        raise refused(name, "a tensor of plain numbers, got a quantised one")
    if value.device.type == "meta":
        raise refused(name, "a tensor that has values, got one on the meta device")
    if type(value) not in (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer):
        raise refused(name, f"a plain tensor, got a {type(value).__qualname__}")
    dtype = str(value.dtype).removeprefix("torch.")
    return tensor_of(name, dtype, value.shape, _blocks(name, value.detach()))


def _blocks(name: str, value: Any) -> Iterator[Any]:
    torch = require("torch", "torch")
    flat = value.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
    width = flat.element_size() // (2 if flat.is_complex() else 1)
    try:
        data = flat.view(torch.uint8).numpy()
    except (RuntimeError, TypeError) as error:
        raise refused(name, f"a tensor of whole bytes a value, got {value.dtype} ({error})") from None
    for start in range(0, len(data), _BLOCK):
        yield little_endian(data[start : start + _BLOCK], width)
