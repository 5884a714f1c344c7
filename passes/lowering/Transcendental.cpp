// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "Transcendental.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tte;

// ln 2 in two parts, the first with so few bits that its product with an exponent is exact.
static constexpr float ln2High = 0.693359375f, ln2Low = -2.12194440e-4f;

static Value evaluatePolynomial(KernelBuilder &kernel, Value x, ArrayRef<float> coefficients) {
  Value sum = kernel.f32(coefficients.front());
  for (float coefficient : coefficients.drop_front())
    sum = kernel.multiplyAdd(sum, x, kernel.f32(coefficient));
  return sum;
}

Value tte::emitExp(KernelBuilder &kernel, Value x) {
  OpBuilder &builder = kernel.builder;
  Location loc = kernel.loc;
  x = kernel.clamp(x, -87.0, std::nullopt);
  Value k = kernel.roundHalfEven(
      arith::MulFOp::create(builder, loc, x, kernel.f32(1.44269504088896341f)));
  Value r = kernel.multiplyAdd(k, kernel.f32(-ln2High), x);
  r = kernel.multiplyAdd(k, kernel.f32(-ln2Low), r);
  Value p = evaluatePolynomial(kernel, r,
                               {1.9875691500e-4f, 1.3981999507e-3f, 8.3334519073e-3f,
                                4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f});
  Value square = arith::MulFOp::create(builder, loc, r, r);
  p = kernel.multiplyAdd(p, square, r);
  p = arith::AddFOp::create(builder, loc, p, kernel.f32(1));
  Value exponent = arith::AddIOp::create(builder, loc, kernel.toInteger(k), kernel.i32(127));
  Value bits = arith::ShLIOp::create(builder, loc, exponent, kernel.i32(23));
  // A product with a power of two is exact: contraction changes nothing.
  return arith::MulFOp::create(builder, loc, p,
                               arith::BitcastOp::create(builder, loc, builder.getF32Type(), bits));
}

Value tte::emitLog(KernelBuilder &kernel, Value x) {
  OpBuilder &builder = kernel.builder;
  Location loc = kernel.loc;
  Value bits = arith::BitcastOp::create(builder, loc, builder.getI32Type(), x);
  // Mantissas from sqrt(1/2) = 0x3f3504f3 on count as below one.
  Value shifted = arith::SubIOp::create(builder, loc, bits, kernel.i32(0x3f3504f3));
  Value exponent = arith::ShRSIOp::create(builder, loc, shifted, kernel.i32(23));
  Value mantissaBits = arith::SubIOp::create(
      builder, loc, bits, arith::ShLIOp::create(builder, loc, exponent, kernel.i32(23)));
  Value mantissa = arith::BitcastOp::create(builder, loc, builder.getF32Type(), mantissaBits);
  Value r = arith::SubFOp::create(builder, loc, mantissa, kernel.f32(1));
  Value k = kernel.toFloat(exponent);
  Value p = evaluatePolynomial(kernel, r,
                               {7.0376836292e-2f, -1.1514610310e-1f, 1.1676998740e-1f,
                                -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                                2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f});
  Value square = kernel.roundedProduct(r, r);
  // log(1 + r) = r - r^2 / 2 + r^3 p(r)
  Value cubic = arith::MulFOp::create(builder, loc, p, r);
  Value tail = kernel.multiplyAdd(k, kernel.f32(ln2Low), kernel.roundedProduct(cubic, square));
  tail = kernel.multiplyAdd(square, kernel.f32(-0.5f), tail);
  Value sum = arith::AddFOp::create(builder, loc, r, tail);
  return kernel.multiplyAdd(k, kernel.f32(ln2High), sum);
}
