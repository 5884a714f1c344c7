// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gradient of depthwise convolutions with respect to their weight, one channel after another. Code
// without vectors converts the channel's input and gathers its gradient into planes in scratch,
// whole or in bands of rows, and sums over tiles of their rows. Vectors hold channels, and need no
// planes.
#include "../AffineResult.h"
#include "../ConvShape.h"
#include "../KernelFamily.h"
#include "../Pointers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace tte;

namespace {

constexpr int64_t realBytes = sizeof(float);
/// Bytes of scratch from which on planes are worked on in bands.
constexpr int64_t largestPlanes = 4096;
/// Registers for f32 of the targets that load several at once, less two for temporaries.
constexpr int64_t usableRegisters = 30;
/// More columns cost code and save little.
constexpr int64_t widestTile = 12;

/// The columns of the gradient that are multiplied together. A tile costs its products, and some
/// instructions for loads and the loop; the last one of a row may reach into zeros.
int64_t chooseTile(const WindowParameters &columns) {
  constexpr int64_t overhead = 6;
  int64_t widest = std::min(usableRegisters - loadedTogether - columns.kernel, widestTile);
  auto costOf = [&](int64_t tile) {
    return llvm::divideCeil(columns.output, tile) * (tile * columns.kernel + overhead);
  };
  int64_t best = 1;
  for (int64_t tile = 2; tile <= std::min(widest, columns.output); ++tile)
    if (costOf(tile) <= costOf(best))
      best = tile;
  return best;
}

/// How the rows of a channel lie in scratch: those of the input, those of the gradient, and the
/// sums of all taps.
struct Planes {
  int64_t tile, tiles; ///< columns of the gradient in a tile, and tiles of a row
  int64_t read;        ///< columns of the input that a tile reads
  int64_t inputPitch, gradientPitch;
  int64_t bandRows;  ///< rows of the gradient in a band; all of them where the planes fit
  int64_t inputRows; ///< rows of the input that those read
  int64_t taps;

  explicit Planes(const ConvShape &shape) {
    const WindowParameters &rows = shape.rows, &columns = shape.columns;
    tile = chooseTile(columns);
    tiles = llvm::divideCeil(columns.output, tile);
    int64_t reach = (columns.kernel - 1) * columns.dilation + 1;
    read = (tile - 1) * columns.stride + reach;
    gradientPitch = tiles * tile;
    inputPitch = (gradientPitch - 1) * columns.stride + reach;
    taps = rows.kernel * columns.kernel;
    int64_t bands = 0;
    do {
      bandRows = llvm::divideCeil(rows.output, ++bands);
      inputRows = (bandRows - 1) * rows.stride + (rows.kernel - 1) * rows.dilation + 1;
    } while (getBytes() > largestPlanes && bandRows > 1);
  }

  int64_t inputElements() const { return inputRows * inputPitch; }
  int64_t gradientElements() const { return bandRows * gradientPitch; }
  int64_t getBytes() const { return (inputElements() + gradientElements() + taps) * realBytes; }
};

class ScalarBody {
public:
  ScalarBody(KernelEmitter &kernel, const ConvShape &shape, Conv2DWeightGradOp op)
      : kernel(kernel), shape(shape), planes(shape), input(kernel.bufferOf(op.getInput())),
        gradient(kernel.bufferOf(op.getGradient())), result(op.getResult()),
        resultShape(op.getResult().getType().getShape()), offset(op.getOffset()),
        zeroPoint(getZeroPoint(op.getInput().getType())),
        inputPlane(getPointer(kernel, kernel.getScratch(planes.getBytes()))),
        gradientPlane(inputPlane + planes.inputElements() * realBytes),
        sumsPlace(gradientPlane + planes.gradientElements() * realBytes) {
    if (quant::QuantizedType type = getQuantizedElement(op.getInput().getType()))
      scale = kernel.addTableScalar(float(getScale(type, 0)));
  }

  void emit();

private:
  /// Rows [begin, end) of the gradient of an image.
  struct Band {
    Index image, begin, end;
  };

  void clear(Pointer place, int64_t elements);
  void stageInput(const Band &band, Index channel);
  void stageGradient(const Band &band, Index channel);
  using Copy = function_ref<void(Value &from, Value &to, int64_t count)>;
  void stageRows(Index begin, Index end, Pointer from, int64_t rowBytes, Pointer to, int64_t pitch,
                 int64_t count, Copy copy);
  void copyInput(Value &from, Value &to, int64_t count, int64_t step);
  Value moveBy(Value pointer, int64_t bytes) {
    return materialize(kernel, Pointer(pointer, bytes));
  }
  SmallVector<Value> addRows(const Band &band, Index kernelRow, ArrayRef<Value> sums);
  SmallVector<Value> addTile(Value &x, Value &g, ArrayRef<Value> sums);
  void finishRow(Index kernelRow, Index first, ArrayRef<Value> sums);
  void loopKernelRows(function_ref<void(Index)> body) {
    kernel.loop(0, shape.rows.kernel, 1, body);
  }
  Pointer sumsOf(Index kernelRow) {
    return advance(kernel, sumsPlace, kernel.mul(kernelRow, shape.columns.kernel * realBytes));
  }

  KernelEmitter &kernel;
  const ConvShape &shape;
  const Planes planes;
  Value input, gradient, result;
  ArrayRef<int64_t> resultShape;
  int64_t offset, zeroPoint;
  Pointer inputPlane, gradientPlane, sumsPlace;
  Value scale;
};

void ScalarBody::emit() {
  // What surrounds the planes stays zero.
  clear(inputPlane, planes.inputElements() + planes.gradientElements());
  int64_t taps = shape.columns.kernel, rows = shape.rows.output;
  SmallVector<Value> zeros(taps, kernel.f32(0));
  kernel.loop(0, resultShape[3], 1, [&](Index first) {
    Index channel = first + offset;
    if (shape.batch == 1 && planes.bandRows == rows) {
      Band all{0, 0, rows};
      stageInput(all, channel);
      stageGradient(all, channel);
      loopKernelRows([&](Index row) { finishRow(row, first, addRows(all, row, zeros)); });
      return;
    }
    clear(sumsPlace, planes.taps);
    kernel.loop(0, shape.batch, 1, [&](Index image) {
      kernel.loop(0, rows, planes.bandRows, [&](Index begin) {
        Band band{image, begin, kernel.min(begin + planes.bandRows, rows)};
        stageInput(band, channel);
        stageGradient(band, channel);
        loopKernelRows([&](Index row) {
          Pointer place = sumsOf(row);
          SmallVector<Value> sums = addRows(band, row, loadReals(kernel, place, taps));
          for (auto [tap, sum] : llvm::enumerate(sums))
            storeAt(kernel, sum, place + tap * realBytes);
        });
      });
    });
    loopKernelRows([&](Index row) { finishRow(row, first, loadReals(kernel, sumsOf(row), taps)); });
  });
}

void ScalarBody::clear(Pointer place, int64_t elements) {
  kernel.loop(0, elements, 1, [&](Index element) {
    storeAt(kernel, kernel.f32(0), advance(kernel, place, kernel.mul(element, realBytes)));
  });
}

/// The rows of the input that the band reads, converted.
void ScalarBody::stageInput(const Band &band, Index channel) {
  const WindowParameters &rows = shape.rows, &columns = shape.columns;
  int64_t count = std::min(columns.input, planes.inputPitch - columns.before);
  // Row y of the image has the place y - first.
  Index first = kernel.mul(band.begin, rows.stride) + -rows.before;
  Index begin = kernel.max(first, 0), end = kernel.min(first + planes.inputRows, rows.input);
  Index line = kernel.mul(kernel.add(kernel.mul(band.image, rows.input), begin), columns.input);
  Index place = kernel.mul(kernel.sub(begin, first), planes.inputPitch) + columns.before;
  int64_t step = shape.inputChannels * (scale ? 1 : realBytes);
  Pointer from =
      getPointer(kernel, input, kernel.add(kernel.mul(line, shape.inputChannels), channel));
  stageRows(begin, end, from, columns.input * step,
            advance(kernel, inputPlane, kernel.mul(place, realBytes)), planes.inputPitch, count,
            [&](Value &from, Value &to, int64_t count) { copyInput(from, to, count, step); });
}

void ScalarBody::stageGradient(const Band &band, Index channel) {
  int64_t width = shape.columns.output, step = shape.outputChannels * realBytes;
  Index line = kernel.mul(kernel.add(kernel.mul(band.image, shape.rows.output), band.begin), width);
  Pointer from =
      getPointer(kernel, gradient, kernel.add(kernel.mul(line, shape.outputChannels), channel));
  // As integers: an f32 that is only moved needs no f32 register.
  Type word = kernel.builder.getI32Type();
  stageRows(band.begin, band.end, from, width * step, gradientPlane, planes.gradientPitch, width,
            [&](Value &from, Value &to, int64_t count) {
              for (int64_t x = 0; x < count; ++x)
                storeAt(kernel, loadAt(kernel, word, Pointer(from, x * step)),
                        Pointer(to, x * realBytes));
              from = moveBy(from, count * step);
              to = moveBy(to, count * realBytes);
            });
}

/// Copies `count` pixels of each row, a few at a time. Rows begin `rowBytes` apart, and `pitch`
/// elements apart where they are copied to.
void ScalarBody::stageRows(Index begin, Index end, Pointer from, int64_t rowBytes, Pointer to,
                           int64_t pitch, int64_t count, Copy copy) {
  constexpr int64_t together = 8;
  int64_t whole = count / together * together;
  SmallVector<Value> rows{materialize(kernel, to), materialize(kernel, from)};
  kernel.loop(begin, end, 1, rows, [&](Index, ArrayRef<Value> row) {
    SmallVector<Value> pointers(row);
    auto copyTogether = [&](MutableArrayRef<Value> pointers, ArrayRef<Value>) {
      copy(pointers[1], pointers[0], together);
      return SmallVector<Value>();
    };
    if (whole == together)
      copyTogether(pointers, {});
    else if (whole)
      loopPointers(kernel, getEnd(kernel, pointers[0], whole * realBytes), pointers, {},
                   copyTogether);
    if (whole < count)
      copy(pointers[1], pointers[0], count - whole);
    return SmallVector<Value>{moveBy(pointers[0], (pitch - count) * realBytes),
                              moveBy(row[1], rowBytes)};
  });
}

/// f32(x - zero point) of `count` pixels, `step` bytes apart; moves both pointers. Four at a time
/// are loaded and converted: more are short of registers.
void ScalarBody::copyInput(Value &from, Value &to, int64_t count, int64_t step) {
  OpBuilder &builder = kernel.builder;
  Type type = scale ? Type(builder.getI8Type()) : builder.getF32Type();
  for (int64_t begin = 0; begin < count; begin += 4) {
    SmallVector<Value> values;
    for (int64_t x = begin; x < std::min(begin + 4, count); ++x) {
      Value value = loadAt(kernel, type, Pointer(from, x * step), Order::AsWritten);
      if (scale) {
        value = arith::ExtSIOp::create(builder, kernel.loc, builder.getI32Type(), value);
        if (zeroPoint)
          value = arith::SubIOp::create(builder, kernel.loc, value, kernel.i32(zeroPoint));
      }
      values.push_back(value);
    }
    if (scale)
      storeConvertedAndAdvance(kernel, values, to);
    else
      storeRealsAndAdvance(kernel, values, to);
  }
  from = moveBy(from, count * step);
}

/// Adds the products of the rows of a band to the sums of a row of the window.
SmallVector<Value> ScalarBody::addRows(const Band &band, Index kernelRow, ArrayRef<Value> sums) {
  const WindowParameters &rows = shape.rows, &columns = shape.columns;
  auto [first, last] = emitOutputs(kernel, rows, kernelRow);
  Index begin = kernel.max(first, band.begin), end = kernel.min(last, band.end);
  Index row = kernel.sub(begin, band.begin);
  Index inputRow = kernel.add(kernel.mul(row, rows.stride), kernel.mul(kernelRow, rows.dilation));
  auto rowOf = [&](Pointer plane, Index row, int64_t pitch) {
    return materialize(kernel, advance(kernel, plane, kernel.mul(row, pitch * realBytes)));
  };
  SmallVector<Value> carried{rowOf(inputPlane, inputRow, planes.inputPitch),
                             rowOf(gradientPlane, row, planes.gradientPitch)};
  llvm::append_range(carried, sums);
  int64_t tileStep = planes.tile * columns.stride;
  carried = kernel.loop(begin, end, 1, carried, [&](Index, ArrayRef<Value> carried) {
    SmallVector<Value> pointers{carried[1], carried[0]}, next(carried.drop_front(2));
    auto overTile = [&](MutableArrayRef<Value> pointers, ArrayRef<Value> sums) {
      SmallVector<Value> next = addTile(pointers[1], pointers[0], sums);
      pointers[1] = moveBy(pointers[1], (tileStep - planes.read) * realBytes);
      return next;
    };
    if (planes.tiles == 1)
      next = overTile(pointers, next);
    else
      next = loopPointers(kernel, getEnd(kernel, carried[1], planes.gradientPitch * realBytes),
                          pointers, next, overTile);
    int64_t skipped = rows.stride * planes.inputPitch - planes.tiles * tileStep;
    Value nextInput = moveBy(pointers[1], skipped * realBytes);
    next.insert(next.begin(), {nextInput, pointers[0]});
    return next;
  });
  return SmallVector<Value>(ArrayRef(carried).drop_front(2));
}

/// The products of a tile; moves the pointers over what is read. Every input is multiplied as soon
/// as it is there, so that few of them are in registers.
SmallVector<Value> ScalarBody::addTile(Value &x, Value &g, ArrayRef<Value> sums) {
  const WindowParameters &columns = shape.columns;
  SmallVector<Value> next(sums);
  SmallVector<Value> gradients = loadRealsAndAdvance(kernel, g, planes.tile);
  for (int64_t begin = 0; begin < planes.read; begin += loadedTogether) {
    int64_t count = std::min(loadedTogether, planes.read - begin);
    SmallVector<Value> inputs = loadRealsAndAdvance(kernel, x, count, /*inUse=*/planes.tile);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t tap = 0; tap < columns.kernel; ++tap) {
        int64_t distance = begin + i - tap * columns.dilation;
        if (distance >= 0 && distance % columns.stride == 0 &&
            distance / columns.stride < planes.tile)
          next[tap] =
              kernel.multiplyAdd(inputs[i], gradients[distance / columns.stride], next[tap]);
      }
  }
  return next;
}

void ScalarBody::finishRow(Index kernelRow, Index first, ArrayRef<Value> sums) {
  for (auto [tap, unscaled] : llvm::enumerate(sums)) {
    Value sum = unscaled;
    if (scale)
      sum = arith::MulFOp::create(kernel.builder, kernel.loc, scale, sum);
    SmallVector<Index> indices{kernelRow, int64_t(tap), 0, first};
    kernel.finish(result, sum, {kernel.linearize(indices, resultShape), first, indices, 1});
  }
}

/// Per channel and kernel row, the sums of all its taps over the pixels.
class VectorBody {
public:
  VectorBody(KernelEmitter &kernel, const ConvShape &shape, Conv2DWeightGradOp op)
      : kernel(kernel), shape(shape), columns(getForwardAxis(shape.columns)),
        input(kernel.bufferOf(op.getInput())), gradient(kernel.bufferOf(op.getGradient())),
        result(op.getResult()), resultShape(op.getResult().getType().getShape()),
        offset(op.getOffset()), zeroPoint(getZeroPoint(op.getInput().getType())) {
    if (quant::QuantizedType type = getQuantizedElement(op.getInput().getType()))
      scale = kernel.addTableScalar(float(getScale(type, 0)));
  }

  void emit() {
    kernel.loopLanes(resultShape[3], kernel.target.vectorWidth, [&](Index first, int64_t lanes) {
      kernel.loop(0, shape.rows.kernel, 1, [&](Index i) { emitKernelRow(i, first, lanes); });
    });
  }

private:
  void emitKernelRow(Index i, Index first, int64_t lanes);
  SmallVector<Value> accumulateTile(SmallVector<Value> sums, Index inputLine, Index gradientLine,
                                    const ColumnTile &tile, Index channel, int64_t lanes);
  Value loadInput(Index index, int64_t lanes) {
    Value x = loadCentred(kernel, input, index, lanes, zeroPoint);
    return scale ? kernel.toFloat(x) : x;
  }

  KernelEmitter &kernel;
  const ConvShape &shape;
  Axis columns;
  Value input, gradient, result;
  ArrayRef<int64_t> resultShape;
  int64_t offset, zeroPoint;
  Value scale;
};

SmallVector<Value> VectorBody::accumulateTile(SmallVector<Value> sums, Index inputLine,
                                              Index gradientLine, const ColumnTile &tile,
                                              Index channel, int64_t lanes) {
  int64_t channels = shape.inputChannels;
  Index firstInput = kernel.add(
      kernel.mul(kernel.add(inputLine, kernel.mul(tile.column, columns.inputStride)), channels),
      channel);
  Index firstGradient =
      kernel.add(kernel.mul(kernel.add(gradientLine, tile.column), channels), channel);
  llvm::DenseMap<int64_t, Value> loaded;
  for (int64_t p = 0; p < tile.count; ++p) {
    Value g = kernel.load(gradient, firstGradient + p * channels, lanes);
    for (int64_t tap = 0; tap < columns.taps; ++tap) {
      if (!columns.reads(tile.example + p, tap))
        continue;
      int64_t column = p * columns.inputStride + columns.offsetOf(tap);
      Value &x = loaded[column];
      if (!x)
        x = loadInput(firstInput + column * channels, lanes);
      sums[tap] = kernel.multiplyAdd(x, g, sums[tap]);
    }
  }
  return sums;
}

void VectorBody::emitKernelRow(Index i, Index first, int64_t lanes) {
  const WindowParameters &rows = shape.rows;
  Index channel = first + offset;
  SmallVector<Value> sums(columns.taps, kernel.f32(0, lanes));
  auto [rowBegin, rowEnd] = emitOutputs(kernel, rows, i);
  sums = kernel.loop(0, shape.batch, 1, sums, [&](Index image, ArrayRef<Value> carried) {
    return kernel.loop(rowBegin, rowEnd, 1, carried, [&](Index row, ArrayRef<Value> carried) {
      Index y =
          kernel.add(kernel.mul(row, rows.stride), kernel.mul(i, rows.dilation) + -rows.before);
      Index inputLine =
          kernel.mul(kernel.add(kernel.mul(image, rows.input), y), shape.columns.input);
      Index gradientLine =
          kernel.mul(kernel.add(kernel.mul(image, rows.output), row), shape.columns.output);
      return loopColumnTiles(kernel, columns, 4, carried,
                             [&](const ColumnTile &tile, ArrayRef<Value> carried) {
                               return accumulateTile(SmallVector<Value>(carried), inputLine,
                                                     gradientLine, tile, channel, lanes);
                             });
    });
  });
  for (auto [j, sum] : llvm::enumerate(sums)) {
    if (scale)
      sum = arith::MulFOp::create(kernel.builder, kernel.loc, kernel.splat(scale, lanes), sum);
    SmallVector<Index> indices{i, int64_t(j), 0, first};
    kernel.finish(result, sum, {kernel.linearize(indices, resultShape), first, indices, lanes});
  }
}

class DepthwiseWeightGradientFamily : public OpFamily<Conv2DWeightGradOp> {
  bool matches(Operation *root) const override {
    auto op = dyn_cast<Conv2DWeightGradOp>(root);
    return op && op.isDepthwise();
  }
  void emit(Conv2DWeightGradOp op, KernelEmitter &kernel) const override {
    ConvShape shape = getConvShape(op);
    if (kernel.target.vectorWidth == 1)
      return ScalarBody(kernel, shape, op).emit();
    kernel.getScratch(getScratchBytes(op)); // a call passes it on every target
    VectorBody(kernel, shape, op).emit();
  }
  int64_t getScratchBytes(Operation *root) const override {
    return Planes(getConvShape(cast<Conv2DWeightGradOp>(root))).getBytes();
  }
};

} // namespace

void tte::addDepthwiseWeightGradientFamily(FamilyList &families) {
  families.push_back(std::make_unique<DepthwiseWeightGradientFamily>());
}
