"""Builds one ONNX graph node by node; its weights lie outside, where a `WeightLayout` says."""

from typing import Any

import numpy as np
import onnx_ir as ir

from elf.models.weight_places import WeightLayout, virtual_file

OPSET = 21
IR_VERSION = 10
MICROSOFT = "com.microsoft"
"""Domain of what ONNX Runtime has beyond the standard."""
NORM_EPS = 1e-6


class GraphBuilder:
    """Collects the nodes of one graph. Values that are plain arrays become small inline constants."""

    def __init__(self, name: str, weights: WeightLayout):
        self.name = name
        self.weights = weights
        self.nodes: list[ir.Node] = []
        self.inputs: list[ir.Value] = []
        self.outputs: list[ir.Value] = []
        self.initializers: dict[str, ir.Value] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def input(self, name: str, shape: list[str | int], dtype: ir.DataType = ir.DataType.FLOAT) -> ir.Value:
        value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
        self.inputs.append(value)
        return value

    def output(
        self, value: ir.Value, name: str, shape: list[str | int], dtype: ir.DataType = ir.DataType.FLOAT
    ) -> None:
        value.name, value.shape, value.type = name, ir.Shape(shape), ir.TensorType(dtype)
        self.outputs.append(value)

    def op(
        self, kind: str, *inputs: ir.Value | np.ndarray, outputs: int = 1, domain: str = "", **attributes: Any
    ) -> Any:
        """Adds a node; returns its output, or a tuple of them where there are several."""
        values = [self.constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
        name = f"{kind}_{len(self.nodes)}"
        node = ir.node(kind, values, attributes, domain=domain, num_outputs=outputs, name=name)
        for i, value in enumerate(node.outputs):
            value.name = f"{node.name}_{i}"
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else tuple(node.outputs)

    def constant(self, array: np.ndarray) -> ir.Value:
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._initializer(name, ir.tensor(array, name=name))
        return self._constants[key]

    def weight(self, name: str) -> ir.Value:
        """A tensor of the weights, float32."""
        if name not in self.initializers:
            slot = self.weights.slots[name]
            file, shape = virtual_file(slot.file), ir.Shape(slot.shape)
            kind = ir.DataType.FLOAT
            self._initializer(name, ir.ExternalTensor(file, slot.offset, slot.length, kind, shape=shape, name=name))
        return self.initializers[name]

    def _initializer(self, name: str, tensor: Any) -> ir.Value:
        value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.initializers[name] = value
        return value

    def model(self) -> ir.Model:
        graph = ir.Graph(
            self.inputs,
            self.outputs,
            nodes=self.nodes,
            initializers=list(self.initializers.values()),
            opset_imports={"": OPSET} | ({MICROSOFT: 1} if any(node.domain for node in self.nodes) else {}),
            name=self.name,
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="elf")

    # Small helpers named after what they compute.

    def dense(self, x: ir.Value, name: str) -> ir.Value:
        """x (…, in) · kernel + bias."""
        return self.op("Add", self.product(x, name), self.weight(f"{name}/bias"))

    def product(self, x: ir.Value, name: str) -> ir.Value:
        """x (…, in) · kernel."""
        return self.op("MatMul", x, self.weight(f"{name}/kernel"))

    def rms_norm(self, x: ir.Value, name: str, eps: float = NORM_EPS) -> ir.Value:
        """ONNX Runtime's own RMSNorm over the last axis: it sums in float32 on every device."""
        gain = self.weight(f"{name}/weight")
        return self.op("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=eps, stash_type=1)

    def silu(self, x: ir.Value) -> ir.Value:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def gelu_tanh(self, x: ir.Value) -> ir.Value:
        """0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
        cubic = self.op("Mul", self.op("Mul", self.op("Mul", x, x), x), scalar(0.044715))
        inner = self.op("Mul", self.op("Add", x, cubic), scalar(np.sqrt(2 / np.pi)))
        gate = self.op("Add", self.op("Tanh", inner), scalar(1.0))
        return self.op("Mul", self.op("Mul", x, scalar(0.5)), gate)

    def attend(self, scores: ir.Value, values: ir.Value, width: int) -> ir.Value:
        """softmax(scores (B, h, S, S)) · values (B, h, S, d), heads joined: (B, S, width)."""
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), values)
        return self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), ints(0, 0, width))


def scalar(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.asarray(values, np.int64)
