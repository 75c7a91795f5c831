"""The package's front door: every public name is there, and none of them drags a model library in."""

from __future__ import annotations

import subprocess
import sys

import pytest

import npc_sdk


def test_every_public_name_can_be_imported() -> None:
    assert sorted(npc_sdk.__all__) == npc_sdk.__all__
    for name in npc_sdk.__all__:
        assert getattr(npc_sdk, name) is not None
    assert dir(npc_sdk) == npc_sdk.__all__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Wrold'"):
        _ = npc_sdk.Wrold


@pytest.mark.parametrize(
    "names", ["TextDelta", "World, Session, Settings, create_engine"], ids=["values", "what loads content"]
)
def test_the_package_imports_no_model_library(names: str) -> None:
    code = f"import sys; from npc_sdk import {names}; print({{'torch', 'transformers'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_values_alone_import_no_content_library() -> None:
    code = "import sys; import npc_sdk.events; print({'bm25s', 'yaml', 'jinja2', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
