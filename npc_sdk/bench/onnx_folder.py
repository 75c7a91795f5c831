"""The same weights for onnxruntime-genai, by its own builder: ``python -m npc_sdk.bench.onnx_folder CHECKPOINT OUT``.

The builder would unfold the whole model to float32 before it quantizes; here its quantizer gets one matrix at a time,
so that a 4B model needs 12 GB of memory and not 26. Called by store.py, only where the peer is installed.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy

BLOCK_SIZE = 32
ACCURACY_LEVEL = 4


def main() -> None:
    """Builds the folder named second from the checkpoint named first."""
    source, out = sys.argv[1:]
    importlib.import_module("onnxruntime_genai.models")  # puts its folder on the path: its modules are top-level ones
    base: Any = importlib.import_module("builders.base")
    base.Model.to_nbits = _quantize_in_place
    sys.argv = ["builder", "-i", source, "-o", out, "-p", "int4", "-e", "cpu", "-c", str(Path(out) / "cache")]
    sys.argv += ["--extra_options", f"int4_accuracy_level={ACCURACY_LEVEL}", f"int4_block_size={BLOCK_SIZE}"]
    runpy.run_module("onnxruntime_genai.models.builder", run_name="__main__")


def _quantize_in_place(model: Any) -> Any:
    """In the builder's place: replaces every product with a constant matrix, and gives the graph back."""
    graph = model.model.graph
    for node in [one for one in graph if one.op_type == "MatMul" and one.inputs[1].const_value is not None]:
        _replace(graph, node)
    return model.model


def _replace(graph: Any, node: Any) -> None:
    """One product by its quantized form. Mutates: the graph."""
    ir: Any = importlib.import_module("onnx_ir")
    weight = node.inputs[1]
    matrix = numpy.ascontiguousarray(weight.const_value.numpy())  # the quantizer reads memory in order
    inputs = [node.inputs[0]]
    for suffix, array in zip(("Q4", "scales"), _quantized(matrix), strict=True):
        inputs.append(_constant(ir, f"{node.name}.weight_{suffix}", array))
        graph.register_initializer(inputs[-1])
    rows, columns = matrix.shape
    sizes = {"K": rows, "N": columns, "bits": 4, "block_size": BLOCK_SIZE, "accuracy_level": ACCURACY_LEVEL}
    attributes = [ir.AttrInt64(key, value) for key, value in sizes.items()]
    made = ir.Node("com.microsoft", "MatMulNBits", inputs, attributes, name=f"{node.name}_Q4", num_outputs=1)
    old, result = node.outputs[0], made.outputs[0]
    result.name, result.shape, result.type = old.name, old.shape, old.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [made], [old], [result])
    if not weight.uses():
        graph.initializers.pop(weight.name)


def _constant(ir: Any, name: str, array: Any) -> Any:
    """A value of the graph that holds an array."""
    tensor = ir.tensor(array, name=name)
    return ir.Value(name=name, const_value=tensor, shape=tensor.shape, type=ir.TensorType(tensor.dtype))


def _quantized(matrix: Any) -> tuple[Any, Any]:
    """A matrix's codes and scales, by the quantizer and with the settings that the builder would take."""
    module: Any = importlib.import_module("onnxruntime.quantization.matmul_nbits_quantizer")
    config = module.DefaultWeightOnlyQuantConfig(
        block_size=BLOCK_SIZE, is_symmetric=True, accuracy_level=ACCURACY_LEVEL, bits=4
    )
    codes, scales, _zeros = module.DefaultWeightOnlyQuantizer(config).qbits_block_quant(matrix)
    return codes, scales


if __name__ == "__main__":
    main()
