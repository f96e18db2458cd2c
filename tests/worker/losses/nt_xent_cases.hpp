#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "worker/losses/nt_xent.hpp"

// What the tests of nt_xent share, over threads and over MPI. Rows of all ranks: S = 2 * lanes * images.
namespace entrain::tests {

struct NtXentCase {
  std::int64_t lanes = 8, images = 1, width = 3;
  double temperature = 0.5;
  at::ScalarType dtype = at::kDouble;
  at::Tensor classes_S{};  ///< int64, one per row; undefined: none
};

/// Loss and gradient of all rows, in rank order.
struct Whole {
  double loss = 0;
  at::Tensor dz_SD;
  double accuracy = 0;
};

/// Rows whose two views resemble each other, keyed by place: the same whatever is computed where.
at::Tensor fixed_rows(const NtXentCase& c);

/// What a negative control does to the answer of gather number 0 or 1.
using Spoil = std::function<worker::GatheredRows(worker::GatheredRows, int gather)>;

/// nt_xent on this rank's lanes of `u_SD`; the gradients of all ranks are gathered. Collective.
Whole loss_on(worker::Collectives& comm, const NtXentCase& c, const at::Tensor& u_SD, const Spoil& spoil = {},
              std::int64_t tile_columns = 0, int threads = 2);
/// The same over that many threads as ranks; every rank must report the same loss to the bit.
Whole loss_on(int num_ranks, const NtXentCase& c, const Spoil& spoil = {});

/// The comparison that every right result must pass and every mistake must fail: loss and gradient to
/// `relative`.
bool agree(const Whole& a, const Whole& b, double relative);
/// The same bits.
bool same_bits(const Whole& a, const Whole& b);

/// Equation 1 of the SimCLR paper by a double loop over pairs, in double. Row order: (lane, view, image).
double equation_one(const at::Tensor& u_SD, const NtXentCase& c);
/// Its value and gradient by autograd over one explicit matrix, in double.
Whole equation_one_by_autograd(const at::Tensor& u_SD, const NtXentCase& c);

/// Row that holds the other view of the same image.
inline std::int64_t partner_of(std::int64_t row, std::int64_t images) {
  return (row / images) % 2 == 0 ? row + images : row - images;
}

}  // namespace entrain::tests
