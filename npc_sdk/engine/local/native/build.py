"""Compiles the kernels with the C compiler that the machine has: ``python -m npc_sdk.engine.local.native.build``.

Called by the package's build hook too, which runs before anything is installed: imports the standard library alone.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARY = FOLDER / "libnpc_kernels.so"
MACHINES = ("x86_64", "AMD64")
COMMON = (
    *("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-pthread", "-Wall", "-Wextra"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),  # every instruction set must round alike
)
AVX2 = ("-mavx2", "-mfma")
AVX512 = (*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni", "-mprefer-vector-width=512")
FUSED = ("-ffp-contract=fast", "-Wno-psabi")  # attention: a product and a sum in one instruction


class BuildError(Exception):
    """The kernels cannot be compiled here; the package works without them, more slowly."""


def source_digest() -> str:
    """Stands for the sources and how they are compiled."""
    digest = hashlib.sha256(repr((COMMON, AVX2, AVX512, FUSED)).encode())
    for path in sorted((*FOLDER.glob("*.c"), *FOLDER.glob("*.h"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def compile_library(target: Path = LIBRARY) -> Path:
    """Makes the library. Raises: BuildError with what the compiler said."""
    if platform.machine() not in MACHINES or sys.platform != "linux":
        raise BuildError(f"the kernels are for x86-64 Linux, and this is {platform.machine()} {sys.platform}")
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(compiler[0]) is None:
        raise BuildError(f"there is no C compiler {compiler[0]!r} (set CC, or install gcc or clang)")
    with tempfile.TemporaryDirectory() as scratch:
        objects = [_compile(compiler, Path(scratch), *unit) for unit in _units()]
        made = Path(scratch) / target.name
        _run([*compiler, "-shared", "-pthread", *objects, "-lm", "-o", str(made)])
        partial = target.with_suffix(".partial")
        shutil.copyfile(made, partial)
        partial.replace(target)  # a process that has the old one open keeps it
    return target


def _units() -> list[tuple[str, str, tuple[str, ...]]]:
    """What is compiled: the object's name, the source, and the flags that are its own."""
    return [
        ("multiply_avx512", "multiply_avx512.c", AVX512),
        ("multiply_avx2", "multiply_avx2.c", AVX2),
        ("quantize_avx512", "quantize_row.c", (*AVX512, "-DQUANTIZE_ROW=quantize_row_avx512")),
        ("quantize_avx2", "quantize_row.c", (*AVX2, "-DQUANTIZE_ROW=quantize_row_avx2")),
        ("attention_avx512", "attention.c", (*AVX512, *FUSED, "-DISA=avx512")),
        ("attention_avx2", "attention.c", (*AVX2, *FUSED, "-DISA=avx2")),
        ("crew", "crew.c", ()),
        ("kernels", "kernels.c", (f'-DNPC_SOURCE="{source_digest()}"',)),
    ]


def _compile(compiler: list[str], scratch: Path, name: str, source: str, flags: tuple[str, ...]) -> str:
    """The path of an object file."""
    made = str(scratch / f"{name}.o")
    _run([*compiler, *COMMON, *flags, "-c", str(FOLDER / source), "-o", made])
    return made


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{shlex.join(command)} failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    try:
        print(compile_library())
    except BuildError as exc:
        sys.exit(str(exc))
