# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""When kernels read and write: what must be known to judge a result over an operand.

Stated here anew for each kind of op, from its shapes; the planner's distances are not looked at.
Time is counted in steps of the kernel; in each, it reads before it writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mlir import ir

from ..dialects import tte

# Operands of which these ops read element i for element i of their result.
_ELEMENTWISE = {
    "tte.accumulate": (0, 1),
    "tte.add": (0, 1),
    "tte.apply_mask": (0,),
    "tte.clamp": (0,),
    "tte.clamp_grad": (0, 1),
    "tte.dequantize": (0,),
    "tte.mean_squared_error_grad": (0, 1),
    "tte.momentum": (0, 1),
    "tte.quantize": (0,),
    "tte.scale_gradient": (0,),
    "tte.sgd": (0, 1, 4),
    "tte.sgd_residual": (0, 1, 2),
}
_NEVER = -1
# Sizes in bytes at which input gradients change how they work.
_LARGEST_PANEL = 4096  # converted weights of a tile of at most so many input channels
_WIDEST_TILE = 16
_LARGEST_PLANE = 8192  # of a channel's gradient, for depthwise convolutions with a stride


@dataclass(frozen=True)
class Clock:
    """Of a root op: per element of the result when it is written first, per element of an operand
    when it is read last. Operands that are missing are read at any time. Where `is_ordered` is
    false the times of different elements cannot be compared."""

    writes: np.ndarray
    reads: dict[int, np.ndarray]
    is_ordered: bool = True


@dataclass(frozen=True)
class Walk:
    """The same for a kernel: of all its results, and of its arguments."""

    writes: np.ndarray
    reads: dict[int, np.ndarray]
    is_ordered: bool

    def allows(
        self, argument: int, offset: int, width: int, result_offset: int, result_width: int
    ) -> bool:
        """Whether the result may lie at `result_offset` while the argument lies at `offset`, with
        elements of `result_width` and `width` bytes."""
        if argument not in self.reads:
            return False
        if not self.is_ordered and (offset, width) != (result_offset, result_width):
            return False
        reads = np.repeat(self.reads[argument], width)
        writes = np.repeat(self.writes, result_width)
        begin = max(offset, result_offset)
        end = min(offset + len(reads), result_offset + len(writes))
        read = reads[begin - offset : end - offset]
        return bool((read <= writes[begin - result_offset : end - result_offset]).all())


def walk(kernel: tte.KernelOp, result: int = 0) -> Walk | None:
    """How `kernel` writes a result and reads its arguments; None where nothing is known of it."""
    block = kernel.body.blocks[0]
    ops = list(block.operations)
    strategy = tte.enum_keyword(kernel.operation.attributes["strategy"])
    if strategy == "row_stream":
        return _row_stream(block)
    if strategy == "channel_group":
        return _channel_group(block, result)
    roots = [op for op in ops[:-1] if op.operation.name not in _ELEMENTWISE]
    if len(roots) > 1 or strategy != "plain":
        return None
    results = ops[-1].operation.operands
    clock = _clock(roots[0].operation) if roots else _in_order(results[0].type)
    if clock is None or any(_elements(result.type) != len(clock.writes) for result in results):
        return None
    root = roots[0].operation if roots else None
    reads = {}
    for argument in block.arguments:
        times = [_last_read(use, root, clock) for use in argument.uses]
        if times and all(time is not None for time in times):
            reads[argument.arg_number] = np.maximum.reduce(times)
    return Walk(clock.writes, reads, clock.is_ordered)


def _last_read(use: ir.OpOperand, root: ir.Operation | None, clock: Clock) -> np.ndarray | None:
    op, operand = use.owner.operation, use.operand_number
    if root is not None and op == root:
        return clock.reads.get(operand)
    if op.name == "tte.yield" or operand in _ELEMENTWISE.get(op.name, ()):
        return clock.writes
    return None


def _clock(root: ir.Operation) -> Clock | None:
    state = _ROOTS.get(root.name)
    return state(root) if state else None


def _in_order(type_: ir.Type) -> Clock:
    return Clock(np.arange(_elements(type_)), {})


# Chains of layers row by row --------------------------------------------------------------------


def _row_stream(block: ir.Block) -> Walk | None:
    """A chain of layers, each computing a row when the next one first needs it. The last row of a
    chain is written when all that it depends on is there; a sum at its end reads the other operand
    element by element."""
    ops = [op.operation for op in block.operations][:-1]
    layers = [op for op in ops if op.name != "tte.add"]
    rows = [_rows_read(op) for op in layers]
    result = _shape(ops[-1].results[0])
    width = math.prod(result[2:])
    source = layers[0].operands[0]
    last = np.full(_shape(source)[1], _NEVER)
    produced = [0] * len(layers)

    def produce(layer: int, row: int, time: int) -> None:
        first, end = rows[layer][row]
        if layer == 0:
            last[first:end] = time
            return
        while produced[layer - 1] < end:
            produce(layer - 1, produced[layer - 1], time)
            produced[layer - 1] += 1

    for row in range(result[1]):
        produce(len(layers) - 1, row, row * width)
    writes = np.arange(math.prod(result))
    times = {source: np.repeat(last, math.prod(_shape(source)[2:]))}
    for op in ops[len(layers) :]:
        for value in op.operands:
            if value != layers[-1].results[0]:
                times[value] = np.maximum(times.get(value, _NEVER), writes)
    reads = {
        argument.arg_number: times[argument] for argument in block.arguments if argument in times
    }
    return Walk(writes, reads, is_ordered=True)


# Blocks by groups of channels --------------------------------------------------------------------


def _channel_group(block: ir.Block, result: int) -> Walk | None:
    """A parameter of a channel is updated once, when all that reads its old value has been computed
    for that channel. The gradient of the block's input begins as a copy of what it is added to,
    element by element; nothing is known of its other operands."""
    op = list(block.operations)[-1].operation.operands[result].owner
    elements = _elements(op.results[0].type)
    arguments = {argument: argument.arg_number for argument in block.arguments}
    if op.name == "tte.sgd":
        reads = {arguments[op.operands[0]]: np.zeros(elements, int)}
        return Walk(np.ones(elements, int), reads, is_ordered=False)
    if op.name == "tte.add":
        others = [value for value in op.operands if value in arguments]
        order = np.arange(elements)
        reads = {arguments[value]: order for value in others if len(list(value.uses)) == 1}
        return Walk(order, reads, is_ordered=True)
    return None


def _rows_read(op: ir.Operation) -> list[tuple[int, int]]:
    """Per output row, the input rows that a convolution or pool reads."""
    extent, count = _shape(op.operands[0])[1], _shape(op.results[0])[1]
    if op.name == "tte.conv2d":
        kernel, dilation = _shape(op.operands[1])[0], _integers(op, "dilations")[0]
    else:
        kernel, dilation = _integers(op, "kernel")[0], 1
    stride, before = _integers(op, "strides")[0], _integers(op, "padding")[0]
    reach = dilation * (kernel - 1) + 1
    begins = [row * stride - before for row in range(count)]
    return [(max(begin, 0), min(begin + reach, extent)) for begin in begins]


# What root ops do ------------------------------------------------------------------------------


def _slice(op: ir.Operation) -> Clock:
    """Element by element, in the order of the result."""
    shape, box = _shape(op.operands[0]), _shape(op.results[0])
    writes = np.arange(math.prod(box))
    reads = np.full(shape, _NEVER)
    offsets = _integers(op, "offsets")
    reads[tuple(slice(o, o + n) for o, n in zip(offsets, box, strict=True))] = writes.reshape(box)
    return Clock(writes, {0: reads.reshape(-1)})


def _reshape(op: ir.Operation) -> Clock:
    writes = np.arange(_elements(op.results[0].type))
    return Clock(writes, {0: writes})


def _clamp_mask(op: ir.Operation) -> Clock:
    """Byte by byte of the mask, each from eight values."""
    writes = np.arange(_elements(op.results[0].type))
    return Clock(writes, {0: np.arange(_elements(op.operands[0].type)) // 8})


def _pool(op: ir.Operation) -> Clock:
    """Pixel by pixel of the result, channel by channel in it; each reads its window."""
    windows = _windows(op, _shape(op.operands[0]), _shape(op.results[0]))
    return _by_pixel(_shape(op.operands[0]), _shape(op.results[0]), windows)


def _pool_grad(op: ir.Operation) -> Clock:
    """Pixel by pixel of the result, which reads the windows that cover it."""
    small, large = _shape(op.operands[0]), _shape(op.results[0])
    covers = [[] for _ in range(large[1])], [[] for _ in range(large[2])]
    for axis, windows in enumerate(_windows(op, large, small)):
        for output, (begin, end) in enumerate(windows):
            for place in range(begin, end):
                covers[axis][place].append(output)
    spans = tuple(
        [(min(outputs), max(outputs) + 1) if outputs else (0, 0) for outputs in axis]
        for axis in covers
    )
    return _by_pixel(small, large, spans)


def _windows(
    op: ir.Operation, large: tuple[int, ...], small: tuple[int, ...]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Per output row, and per output column, the range of inputs that its window covers."""
    kernel, padding = _integers(op, "kernel"), _integers(op, "padding")
    strides = _integers(op, "strides")

    def covered(axis: int) -> list[tuple[int, int]]:
        begins = (i * strides[axis] - padding[2 * axis] for i in range(small[1 + axis]))
        extent = large[1 + axis]
        return [(max(begin, 0), min(begin + kernel[axis], extent)) for begin in begins]

    return covered(0), covered(1)


def _by_pixel(
    source: tuple[int, ...],
    result: tuple[int, ...],
    windows: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> Clock:
    """Each channel of result pixel (y, x) reads that of the source in windows[0][y] x
    windows[1][x]."""
    images, rows, columns, channels = result
    last = np.full(source[:3], _NEVER)
    pixel = 0
    for image in range(images):
        for top, bottom in windows[0]:
            for left, right in windows[1]:
                last[image, top:bottom, left:right] = pixel
                pixel += 1
    reads = np.where(last[..., None] < 0, _NEVER, last[..., None] * channels + np.arange(channels))
    return Clock(np.arange(images * rows * columns * channels), {0: reads.reshape(-1)})


def _once(op: ir.Operation) -> Clock:
    """Every element of the result once, in an order that is not known."""
    return Clock(np.arange(_elements(op.results[0].type)), {}, is_ordered=False)


def _conv2d_input_grad(op: ir.Operation) -> Clock | None:
    source, result = _shape(op.operands[0]), _shape(op.results[0])
    if ir.IntegerAttr(op.attributes["groups"]).value == source[3] == result[3]:
        return _depthwise_input_grad(op, source, result)
    return _pointwise_input_grad(op)


def _pointwise_input_grad(op: ir.Operation) -> Clock | None:
    """Every element once, unless the output channels are worked on in chunks: then the result holds
    partial sums in between."""
    outputs = _shape(op.operands[0])[-1]
    return _once(op) if 4 * _WIDEST_TILE * outputs <= _LARGEST_PANEL else None


def _depthwise_input_grad(
    op: ir.Operation, source: tuple[int, ...], result: tuple[int, ...]
) -> Clock:
    """Channel after channel (image after image for each part of the weight), each row by row. A
    row of the gradient is gathered by the time of the result row above which it lies; all at once
    where the stride is not 1 and the channel's plane is small. In which order channels come is not
    relied on."""
    images, rows, _, channels = result
    turns = np.empty((images, channels), np.int64)
    turn = first = 0
    for weight in list(op.operands)[1:]:
        size = _shape(weight)[3]
        turns[:, first : first + size] = turn + np.arange(images * size).reshape(images, size)
        turn, first = turn + images * size, first + size
    starts = turns[:, None, None, :] * rows
    writes = np.broadcast_to(starts + np.arange(rows)[None, :, None, None], result)
    stride, kernel = _integers(op, "strides")[0], _shape(op.operands[1])
    plane = 4 * (source[1] * (source[2] + kernel[1]) + kernel[0] * kernel[1])
    is_whole = stride > 1 and plane <= _LARGEST_PLANE
    gathered = np.minimum(np.arange(source[1]) * stride, rows - 1) * (not is_whole)
    reads = np.broadcast_to(starts + gathered[None, :, None, None], source)
    return Clock(writes.reshape(-1), {0: reads.reshape(-1)}, is_ordered=False)


def _conv2d(op: ir.Operation) -> Clock | None:
    """Quantized ones without groups: block by block of pixels, each read before it is written.
    Depthwise ones channel by channel."""
    source, weight, result = (_shape(value) for value in (*op.operands[:2], op.results[0]))
    groups = ir.IntegerAttr(op.attributes["groups"]).value
    if not _is_quantized(op.operands[0]):
        return None
    strides, dilations = _integers(op, "strides"), _integers(op, "dilations")
    before = _integers(op, "padding")[::2]
    if groups == source[3] == result[3] and groups > 1:
        is_known = dilations == [1, 1] and strides[0] == strides[1] <= 2
        is_known = is_known and weight[1] % 2 == 1 and weight[1] > 1
        return _depthwise(source, result, weight[0], strides[0], before[0]) if is_known else None
    if groups != 1:
        return None
    if weight[:2] == (1, 1) and strides == [1, 1] and source[:3] == result[:3]:
        return _by_block(source, result)
    taps = [
        [(i * strides[axis] - before[axis] + t * dilations[axis]) for t in range(weight[axis])]
        for axis in (0, 1)
        for i in range(result[1 + axis])
    ]
    rows, columns = taps[: result[1]], taps[result[1] :]
    size = _block(result[2])
    blocks = -(-result[2] // size)  # of a row
    last = np.full(source[:3], _NEVER)
    for image, row, column in np.ndindex(*result[:3]):
        time = (image * result[1] + row) * blocks + column // size
        ys = [y for y in rows[row] if 0 <= y < source[1]]
        xs = [x for x in columns[column] if 0 <= x < source[2]]
        last[image, np.array(ys, int)[:, None], np.array(xs, int)] = time
    lines = np.arange(result[0] * result[1])[:, None] * blocks
    pixels = (lines + np.arange(result[2]) // size).reshape(-1)
    return Clock(np.repeat(pixels, result[3]), {0: np.repeat(last.reshape(-1), source[3])})


def _dense(op: ir.Operation) -> Clock | None:
    if not _is_quantized(op.operands[0]):
        return None
    return _by_block(_shape(op.operands[0]), _shape(op.results[0]))


def _by_block(source: tuple[int, ...], result: tuple[int, ...]) -> Clock:
    """Pixel i of the result from pixel i of the source."""
    pixels = math.prod(source[:-1])
    times = np.arange(pixels) // _block(pixels)
    return Clock(np.repeat(times, result[-1]), {0: np.repeat(times, source[-1])})


def _block(pixels: int) -> int:
    """How many pixels are read before the first of them is written."""
    costs = {1: 3.75, 2: 2.9, 3: 2.17, 4: 2.25}
    return min(
        range(1, min(pixels, 4) + 1), key=lambda size: -(-pixels // size) * size * costs[size]
    )


def _depthwise(
    source: tuple[int, ...], result: tuple[int, ...], kernel: int, stride: int, before: int
) -> Clock | None:
    """Rows of a channel are gathered as outputs need them; each output row must lie over such."""
    for row in range(result[1]):
        gathered = min(row * stride - before + kernel, source[1]) * source[2]
        if (row + 1) * result[2] > gathered:
            return None
    if math.prod(result) > math.prod(source):
        return None
    channels = [np.broadcast_to(np.arange(s[3]), s).reshape(-1) for s in (source, result)]
    return Clock(2 * channels[1] + 1, {0: 2 * channels[0]}, is_ordered=False)


_ROOTS: dict[str, Callable[[ir.Operation], Clock | None]] = {
    "tte.avg_pool2d": _pool,
    "tte.avg_pool2d_grad": _pool_grad,
    "tte.bias_grad": _once,
    "tte.clamp_mask": _clamp_mask,
    "tte.conv2d": _conv2d,
    "tte.conv2d_input_grad": _conv2d_input_grad,
    "tte.conv2d_weight_grad": _once,
    "tte.dense": _dense,
    "tte.dense_input_grad": _pointwise_input_grad,
    "tte.dense_weight_grad": _once,
    "tte.max_pool2d": _pool,
    "tte.reshape": _reshape,
    "tte.slice": _slice,
}


def _shape(value: ir.Value) -> tuple[int, ...]:
    return tuple(ir.ShapedType(value.type).shape)


def _is_quantized(value: ir.Value) -> bool:
    return "quant.uniform" in str(ir.ShapedType(value.type).element_type)


def _elements(type_: ir.Type) -> int:
    return math.prod(ir.ShapedType(type_).shape)


def _integers(op: ir.Operation, name: str) -> list[int]:
    return list(ir.DenseI64ArrayAttr(op.attributes[name]))
