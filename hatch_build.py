"""Build hook: compiles the engine's kernels where there is a C compiler; without one the package is pure Python."""

from __future__ import annotations

import importlib.util
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = Path("npc_sdk/engine/local/native")


class KernelsHook(BuildHookInterface):  # type: ignore[misc]
    """Runs for wheels and for editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Makes the library beside its sources and has the wheel carry it. Mutates: build_data."""
        build = _module(Path(self.root) / NATIVE / "build.py")
        try:
            library = build.compile_library()
        except build.BuildError as exc:
            self.app.display_warning(f"without compiled kernels int4 models are slower: {exc}")
            return
        build_data["artifacts"].append(str(NATIVE / library.name))
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def _module(path: Path) -> ModuleType:
    """A file as a module: the package around it is not installed yet."""
    spec = importlib.util.spec_from_file_location("npc_kernels_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
