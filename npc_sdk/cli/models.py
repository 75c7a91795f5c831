"""``npc models``: quantize a checkpoint, and tell what a model folder holds. Torch loads only when a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from npc_sdk.engine.create import calm_openmp
from npc_sdk.settings import model_folder

if TYPE_CHECKING:
    from npc_sdk.engine.local.config import ModelConfig

app = typer.Typer(help="Prepare and inspect model folders.", no_args_is_help=True)

GIB = 1024**3
MIB = 1024**2


@app.command()
def quantize(
    src: Annotated[Path, typer.Argument(help="Folder of a full-precision checkpoint (config.json and weights).")],
    out: Annotated[Path, typer.Argument(help="New folder for the int4 model.")],
    group_size: Annotated[int, typer.Option(help="Columns that share a scale: 32, 64 or 128.")] = 128,
) -> None:
    """Write a four-bit copy of a checkpoint, in little memory."""
    calm_openmp()
    from npc_sdk.engine.local.quantize import quantize_checkpoint

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading", total=None)
        report = quantize_checkpoint(
            src,
            out,
            group_size=group_size,
            progress=lambda done, total, name: bar.update(task, completed=done, total=total, description=name),
        )
    sizes = f"{report.source_bytes / GIB:.2f} GiB -> {report.result_bytes / GIB:.2f} GiB"
    typer.echo(f"{out}: {report.tensors} tensors, {sizes}")


@app.command()
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model that ships (hearth), or a model's folder.")],
) -> None:
    """Tell what a model folder holds, without loading it, and which device it would run on."""
    calm_openmp()
    from npc_sdk.engine.local.config import load_config

    folder = model_folder(model)
    config = load_config(folder)
    table = Table(title=str(folder), show_header=False)
    for name, value in (*_facts(config, folder), ("device", _device())):
        table.add_row(name, value)
    Console().print(table)


def _facts(config: ModelConfig, folder: Path) -> list[tuple[str, str]]:
    """What config.json says, in words."""
    precision = config.stored_dtype if config.int4_group_size is None else f"int4, groups of {config.int4_group_size}"
    shape = f"{config.layers} layers, hidden {config.hidden_size}, {config.heads} heads on {config.kv_heads}"
    values_a_token = 2 * config.layers * config.kv_heads * config.head_dim  # keys and values
    cache_mib = config.context_tokens * values_a_token * 2 / MIB
    return [
        ("architecture", config.architecture),
        ("shape", f"{shape}, vocabulary {config.vocab_size}"),
        ("precision", precision),
        ("context", f"{config.context_tokens} tokens, {cache_mib:.0f} MiB of cache when full"),
        ("tokenizer", "yes" if (folder / "tokenizer.json").exists() else "missing: the engine needs tokenizer.json"),
    ]


def _device() -> str:
    """What the setting "auto" comes to on this machine."""
    import torch

    from npc_sdk.engine.local.loader import choose_device

    device = choose_device("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{device.type}, {name}"
