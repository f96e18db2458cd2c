#include "worker/losses/logistic_regression.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "configs/cat.hpp"
#include "configs/error.hpp"

// Legend: N labelled rows, K classes, F features, E = F + 1: a column of ones carries the bias.
namespace entrain::worker {
namespace {

// BLAS may sum in another order with another number of threads.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

struct Problem {
  at::Tensor x_NE;  // standardised features and ones
  at::Tensor onehot_NK;
  at::Tensor penalty_1E;  // l2, and 0 for the bias
};

double scalar_product(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum().item<double>(); }

// Value, gradient and the probabilities that the Hessian needs.
struct Point {
  at::Tensor w_KE;
  double value;
  at::Tensor gradient_KE, p_NK;
};

Point evaluate(const Problem& problem, const at::Tensor& w_KE) {
  const at::Tensor log_p_NK = at::log_softmax(problem.x_NE.mm(w_KE.t()), 1);
  const at::Tensor p_NK = log_p_NK.exp(), penalised_KE = problem.penalty_1E * w_KE;
  return {w_KE, -scalar_product(problem.onehot_NK, log_p_NK) + scalar_product(penalised_KE, w_KE) / 2,
          (p_NK - problem.onehot_NK).t().mm(problem.x_NE) + penalised_KE, p_NK};
}

at::Tensor hessian_times(const Problem& problem, const at::Tensor& p_NK, const at::Tensor& v_KE) {
  const at::Tensor pt_NK = p_NK * problem.x_NE.mm(v_KE.t());
  return (pt_NK - p_NK * pt_NK.sum(1, true)).t().mm(problem.x_NE) + problem.penalty_1E * v_KE;
}

// Lower Cholesky factor of X' diag(c) X + l2, with c_i = sum_k p_ik (1 - p_ik) / (K - 1): one class's block
// of the Hessian. For two classes it is the Hessian itself where gradients live (weights that sum to zero
// over classes).
at::Tensor hessian_factor(const Problem& problem, const at::Tensor& p_NK) {
  const double others = static_cast<double>(p_NK.size(1) - 1);
  const at::Tensor c_N1 = (p_NK * (1 - p_NK)).sum(1, true) / others;
  at::Tensor block_EE = problem.x_NE.t().mm(problem.x_NE * c_N1);
  block_EE.diagonal().add_(problem.penalty_1E.max() + block_EE.diagonal().max() * 1e-13);
  return at::linalg_cholesky(block_EE);
}

// Solves H d = -g by conjugate gradients until the residual is `tolerance` of |g|, and says whether it got
// there in `max_steps`. `factor_EE` preconditions, if defined. The Hessian is flat along "the same constant
// on every bias", but the gradient has no part in that direction.
bool newton_direction(const Problem& problem, const Point& at_point, double tolerance, int max_steps,
                      const at::Tensor& factor_EE, at::Tensor& d_KE) {
  const auto precondition = [&](const at::Tensor& r_KE) {
    return factor_EE.defined() ? at::cholesky_solve(r_KE.t(), factor_EE).t() : r_KE;
  };
  at::Tensor r_KE = -at_point.gradient_KE, z_KE = precondition(r_KE), v_KE = z_KE.clone();
  const double start = scalar_product(r_KE, r_KE);
  double rz = scalar_product(r_KE, z_KE);
  d_KE = at::zeros_like(at_point.w_KE);
  for (int i = 0; i < max_steps; ++i) {
    const at::Tensor hv_KE = hessian_times(problem, at_point.p_NK, v_KE);
    const double curvature = scalar_product(v_KE, hv_KE);
    if (!(curvature >
          1e-14 * scalar_product(v_KE, v_KE))) {  // a class without rows: its bias only drifts off
      if (i == 0) d_KE = v_KE;
      return true;
    }
    d_KE.add_(v_KE, rz / curvature);
    r_KE.sub_(hv_KE, rz / curvature);
    if (scalar_product(r_KE, r_KE) <= tolerance * tolerance * start) return true;
    z_KE = precondition(r_KE);
    const double before = std::exchange(rz, scalar_product(r_KE, z_KE));
    v_KE = z_KE + v_KE * (rz / before);
  }
  return false;
}

at::Tensor minimise(const Problem& problem, double l2) {
  Point now =
      evaluate(problem, at::zeros({problem.onehot_NK.size(1), problem.x_NE.size(1)}, problem.x_NE.options()));
  const double scale = std::max(1.0, std::sqrt(scalar_product(now.gradient_KE, now.gradient_KE)));
  bool hard = false;
  for (int step = 0; step < 200; ++step) {
    const double slope_norm = std::sqrt(scalar_product(now.gradient_KE, now.gradient_KE));
    if (slope_norm <= 1e-9 * scale) return now.w_KE;
    const double tolerance = std::min(0.1, std::sqrt(slope_norm / scale));
    // Plain conjugate gradients are cheapest while the problem is well conditioned. With a weak penalty and
    // many features it is not: then each step is worth a factorisation.
    at::Tensor d_KE;
    if (!hard) hard = !newton_direction(problem, now, tolerance, 60, {}, d_KE);
    if (hard) newton_direction(problem, now, tolerance, 500, hessian_factor(problem, now.p_NK), d_KE);
    const double slope = scalar_product(now.gradient_KE, d_KE);
    double length = 1;
    Point next = evaluate(problem, now.w_KE + d_KE);
    // The last steps change the value by less than it can resolve: take them if they do not clearly worsen
    // it.
    const double noise = 1e-13 * std::max(1.0, std::abs(now.value));
    while (!(next.value <= now.value + 1e-4 * length * slope + noise) && length > 1e-10) {
      length /= 2;
      next = evaluate(problem, now.w_KE + d_KE * length);
    }
    now = std::move(next);
  }
  throw NumericError(cat("logistic regression on ", problem.x_NE.size(0), " rows of ",
                         problem.x_NE.size(1) - 1, " features with l2 = ", l2,
                         " did not converge in 200 steps; try a larger l2"));
}

}  // namespace

LinearClassifier logistic_regression(const at::Tensor& features_NF, const at::Tensor& labels_N,
                                     std::int64_t num_classes, double l2) {
  TORCH_CHECK(features_NF.dim() == 2 && labels_N.dim() == 1 && labels_N.scalar_type() == at::kLong &&
                  labels_N.size(0) == features_NF.size(0) && num_classes >= 2 && l2 > 0,
              "logistic_regression: want features [N, F], int64 labels [N], >= 2 classes and l2 > 0, got ",
              features_NF.sizes(), ", ", labels_N.sizes(), ", ", num_classes, ", ", l2);
  const OneThread one_thread;
  const at::Tensor rows = labels_N.ge(0).nonzero().squeeze(1);
  const at::Tensor raw_NF = features_NF.detach().index_select(0, rows).to(at::kDouble);
  const at::Tensor known_N = labels_N.index_select(0, rows);
  const std::int64_t N = rows.size(0);
  if (N == 0 || known_N.min().item<std::int64_t>() == known_N.max().item<std::int64_t>())
    throw DataError(cat("linear probe: the ", N,
                        " labelled training rows are of one class only; give it a larger "
                        "finetune.label_fraction or another draw (finetune.repeat)"));
  TORCH_CHECK(known_N.max().item<std::int64_t>() < num_classes, "logistic_regression: label ",
              known_N.max().item<std::int64_t>(), " of ", num_classes, " classes");
  if (!raw_NF.isfinite().all().item<bool>())
    throw DataError("linear probe: a feature is not finite; the encoder's weights or an image are broken");

  const at::Tensor mean_1F = raw_NF.mean(0, true), centred_NF = raw_NF - mean_1F;
  const at::Tensor spread_1F = centred_NF.square().mean(0, true).sqrt();
  // A feature that is constant up to rounding is left out; dividing by its spread would blow up the rounding.
  const at::Tensor varies_1F = spread_1F.gt(mean_1F.abs() * 1e-12);
  const at::Tensor inverse_1F =
      at::where(varies_1F, spread_1F.reciprocal(), at::zeros({}, spread_1F.options()));
  Problem problem;
  problem.x_NE = at::cat({centred_NF * inverse_1F, at::ones({N, 1}, raw_NF.options())}, 1);
  problem.onehot_NK = at::one_hot(known_N, num_classes).to(at::kDouble);
  problem.penalty_1E = at::full({1, raw_NF.size(1) + 1}, l2, raw_NF.options());
  problem.penalty_1E.select(1, raw_NF.size(1)).zero_();

  const at::Tensor w_KE = minimise(problem, l2);
  LinearClassifier result;
  result.weight_KF = w_KE.narrow(1, 0, raw_NF.size(1)) * inverse_1F;
  result.bias_K = w_KE.select(1, raw_NF.size(1)) - result.weight_KF.mv(mean_1F.squeeze(0));
  result.bias_K -= result.bias_K.mean();
  return result;
}

}  // namespace entrain::worker
