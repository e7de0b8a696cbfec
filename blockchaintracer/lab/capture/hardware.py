"""The machine a run ran on. Nothing personal unless asked for."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from blockchaintracer.lab.capture import json_integer
from blockchaintracer.lab.programs import find_program

_TIMEOUT = 20
_QUERY = ("--query-gpu=name,driver_version,memory.total", "--format=csv,noheader,nounits")


def capture_hardware(*, host_name: bool = False, user_name: bool = False) -> dict[str, Any]:
    """Capture the machine, ready for JSON.

    Returns:
        ``os`` (system, kernel, distribution), ``architecture``, ``cpu`` (model, logical and physical count; None where
        it can't be told), ``memoryBytes``, ``gpus`` (name, driver, memoryBytes, cuda), and ``hostName`` and
        ``userName`` if asked for.
    """
    import psutil

    machine: dict[str, Any] = {
        "os": {"system": platform.system(), "kernel": platform.release(), "distribution": _distribution()},
        "architecture": platform.machine(),
        "cpu": {"model": _cpu_model(), "logical": psutil.cpu_count(), "physical": psutil.cpu_count(logical=False)},
        "memoryBytes": json_integer(psutil.virtual_memory().total),
        "gpus": _gpus(),
    }
    if host_name:
        machine["hostName"] = platform.node()
    if user_name:
        import getpass

        machine["userName"] = getpass.getuser()
    return machine


def _distribution() -> str | None:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def _cpu_model() -> str | None:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    try:
        match = re.search(r"(?m)^(?:model name|Model|cpu model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text())
    except OSError:
        match = None
    return match[1].strip() if match else platform.processor() or None


def _gpus() -> list[dict[str, Any]]:
    listed = _output("nvidia-smi", *_QUERY)
    if not listed:
        return _torch_gpus()
    cuda = re.search(r"CUDA Version:\s*([0-9.]+)", _output("nvidia-smi") or "")
    gpus = []
    for line in listed.splitlines():
        # from the right: a name may hold a comma
        name, driver, memory = (part.strip() for part in line.rsplit(",", 2))
        # a slice of a GPU says "[N/A]"
        size = json_integer(int(memory) << 20) if memory.isdecimal() else None
        gpus.append({"name": name, "driver": driver, "memoryBytes": size, "cuda": cuda[1] if cuda else None})
    return gpus


def _torch_gpus() -> list[dict[str, Any]]:
    """What PyTorch sees, if the run uses it: GPUs of other makers, or without nvidia-smi."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    toolkit = torch.version.cuda or getattr(torch.version, "hip", None)
    gpus = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [
        {"name": gpu.name, "driver": None, "memoryBytes": json_integer(gpu.total_memory), "cuda": toolkit}
        for gpu in gpus
    ]


def _output(name: str, *arguments: str) -> str | None:
    program = find_program(name)
    if not program:
        return None
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
