// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Row kernels: bodies that compute some rows of one op, for whole maps and for fused blocks alike.
// They know shapes and places of memory, and neither the kernel around them nor the plan.
#ifndef TTE_LOWERING_ROWKERNELS_H
#define TTE_LOWERING_ROWKERNELS_H

#include "ConvShape.h"
#include "DSPBuilder.h"

namespace tte {

/// The way from accumulators to what is stored.
class RowResult {
public:
  virtual ~RowResult() = default;
  /// What the sums of `lanes` output channels start with.
  virtual mlir::Value getInitial(Index channel, int64_t lanes) = 0;
  /// What the results of `lanes` channels from `channel` on have in common, loaded once.
  virtual llvm::SmallVector<mlir::Value> loadFactors(Index channel, int64_t lanes) = 0;
  /// Stores the result of finished sums. `element` is the position of the first channel in the
  /// output, counted from where the rows begin.
  virtual void store(mlir::Value sum, llvm::ArrayRef<mlir::Value> factors, Index element,
                     Index channel) = 0;

  /// Where results are bytes that depend on nothing but their sum, bias and a record of factors a
  /// channel: code over pointers is shorter then.
  struct Requantization {
    std::optional<Place> bias; ///< i32
    Place records;
    int64_t recordBytes;
    Place output; ///< i8
  };
  virtual std::optional<Requantization> getRequantization() { return std::nullopt; }
  /// The factors from the record that lies `offset` bytes behind the pointer `record`.
  virtual llvm::SmallVector<mlir::Value> loadFactors(DSPBuilder &pointers, mlir::Value record,
                                                     int64_t offset) {
    return {};
  }
  /// The result to be stored, from the factors of its channel.
  virtual mlir::Value requantize(mlir::Value sum, llvm::ArrayRef<mlir::Value> factors) {
    return {};
  }
};

/// Rows of a quantized convolution without groups, or of a dense layer.
///
/// Block by block of consecutive output pixels: their inputs are staged in scratch, then every
/// output channel is a sum over them. A block is staged before any of it is stored, which is why
/// the output may follow the input through the same memory.
class ConvRows {
public:
  /// `partSizes` are the input channels of the weight's parts.
  ConvRows(const ConvShape &shape, llvm::ArrayRef<int64_t> partSizes, int64_t zeroPoint);

  struct Operands {
    Place input;
    struct Weight {
      mlir::Value buffer;
      bool isPacked = false; ///< as `PairPacking`
    };
    llvm::SmallVector<Weight> weights; ///< one a part
    mlir::Value scratch;               ///< getScratchBytes() of i8
  };
  /// Emits all rows of the shape.
  void emit(KernelBuilder &kernel, const Operands &operands, RowResult &result) const;

  int64_t getScratchBytes() const;
  /// How the output (i8) may lie over the input: see `Overlap`, ascending.
  int64_t getLag() const;

private:
  friend class ConvRowsEmitter;
  struct Part {
    int64_t begin;  ///< first product among those of a pixel
    int64_t size;   ///< input channels
    int64_t length; ///< products
    int64_t pairs() const { return (length + 1) / 2; }
  };

  bool isPointwise() const { return shape.rows.kernel == 1 && columnsArePlain(); }
  bool columnsArePlain() const {
    const WindowParameters &columns = shape.columns;
    return columns.kernel == 1 && columns.stride == 1 && columns.before == 0;
  }
  int64_t getProducts() const { return parts.back().begin + parts.back().length; }
  int64_t getPairs() const;
  int64_t getPatchBytes() const { return (getProducts() + 3) / 4 * 4; }

  ConvShape shape;
  llvm::SmallVector<Part> parts;
  int64_t zeroPoint;
  int64_t block;
};

/// Rows of a quantized depthwise convolution.
///
/// Channel by channel (with vectors, a few channels together): a band of rows of a channel's plane
/// is staged in scratch with a border, then every output of the band is a sum over it. An output
/// that begins where the input does lies over inputs that were staged before (see `isInPlace`).
class DepthwiseRows {
public:
  /// The rows of such a convolution, none for windows that they do not know.
  static std::optional<DepthwiseRows> get(const ConvShape &shape, int64_t zeroPoint);

  struct Operands {
    Place input;
    llvm::SmallVector<WeightPart> weights;
    mlir::Value scratch; ///< getScratchBytes() of i8
  };
  /// Emits all rows of the shape.
  void emit(KernelBuilder &kernel, const Operands &operands, RowResult &result) const;

  /// Enough for the bodies of all targets.
  int64_t getScratchBytes() const {
    return std::max(getWeightBytes() + getPlaneBytes(), maxLanes * getWindowElements());
  }
  /// Whether the output (i8) may begin where the input does.
  bool isInPlace() const;

private:
  friend class DepthwiseRowsEmitter;
  friend class PortableDepthwiseRowsEmitter;
  DepthwiseRows(const ConvShape &shape, int64_t zeroPoint) : shape(shape), zeroPoint(zeroPoint) {}

  /// Words of weight pairs a kernel row.
  int64_t getRowWords() const {
    int64_t taps = shape.columns.kernel;
    return shape.columns.stride == 1 ? taps - 1 : (taps + 1) / 2;
  }
  int64_t getWeightBytes() const { return shape.rows.kernel * getRowWords() * 4; }
  /// Rows of the plane that `count` output rows read.
  int64_t getInputRows(int64_t count) const {
    return (count - 1) * shape.rows.stride + shape.rows.kernel;
  }
  int64_t getTiles() const { return (shape.columns.output + tileWidth - 1) / tileWidth; }
  /// Bytes of a row of the plane: what tiles read, whole words.
  int64_t getPlaneStride() const {
    int64_t read = (getTiles() * tileWidth - 1) * shape.columns.stride + shape.columns.kernel;
    int64_t staged = shape.columns.before + shape.columns.input;
    return (std::max(read, staged) + 1) / 2 * 4;
  }
  int64_t getPlaneBytes() const { return getInputRows(bandRows) * getPlaneStride(); }
  /// Columns of the rows that portable code stages for one row of the output.
  int64_t getWindowColumns() const {
    const WindowParameters &columns = shape.columns;
    return std::max((columns.output - 1) * columns.stride + columns.kernel,
                    columns.before + columns.input);
  }
  int64_t getWindowElements() const { return shape.rows.kernel * getWindowColumns(); }

  static constexpr int64_t maxLanes = 8; ///< channels that portable code treats together
  ConvShape shape;
  int64_t zeroPoint;
  int64_t tileWidth = 4; ///< outputs of a row that share what they load
  int64_t bandRows = 1;  ///< output rows of a band
};

} // namespace tte

#endif // TTE_LOWERING_ROWKERNELS_H
