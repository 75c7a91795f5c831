"""What a figure was measured on: the machine, the versions, how busy it was. And a process that keeps a core busy."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "llama-cpp-python", "onnxruntime-genai", "onnxruntime")
SPIN = "import sys\nsys.stdout.write('x')\nsys.stdout.flush()\nwhile True: pass"
QUIET_LOAD = 0.25  # of a core; above it the machine was doing something else


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, system, versions, load."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    facts = {
        "processor": _processor(),
        "cores": str(usable_cores()),
        "memory": f"{_total_memory() / 2**30:.0f} GiB",
        "system": platform.platform(),
        "python": platform.python_version(),
        "load before": f"{load:.2f}" + (" (not quiet)" if load > QUIET_LOAD else ""),
    }
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            facts[package] = version(package)
    return facts


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_bytes(pid: int | str = "self") -> tuple[int, int]:
    """Resident memory of a process now and at most; zeros where the system does not tell."""
    path = Path(f"/proc/{pid}/status")
    if not path.exists():
        return 0, 0
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="utf-8").splitlines() if ":" in line)
    now, most = (int(lines.get(key, "0 kB").split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))
    return now, most


@contextlib.contextmanager
def busy_core() -> Iterator[None]:
    """Another process of ordinary priority that never stops computing."""
    process = subprocess.Popen([sys.executable, "-c", SPIN], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.read(1)  # it is running
        yield
    finally:
        process.kill()
        process.communicate()


def _processor() -> str:
    """The processor's name, with the instruction sets that matter here."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine()
    lines = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines()]
    values = {key.strip(): value.strip() for key, _, value in reversed(lines)}
    flags = set(values.get("flags", "").split())
    sets = [name for name in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if name in flags]
    return f"{values.get('model name', platform.machine())} ({', '.join(sets) or 'no AVX'})"


def _total_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
