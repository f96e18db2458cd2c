#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/optim/adamw.hpp"
#include "worker/optim/device_optimizers.hpp"
#include "worker/optim/lars.hpp"
#include "worker/optim/optimizer.hpp"
#include "worker/optim/sgd.hpp"

namespace entrain::worker {

std::unique_ptr<Optimizer> make_optimizer(const OptimSection& config, ParameterSet& parameters) {
  if (!parameters.flat().is_cpu()) return make_device_optimizer(config, parameters);
  if (config.name == "lars") return make_lars(config, parameters);
  if (config.name == "sgd") return make_sgd(config, parameters);
  if (config.name == "adamw") return make_adamw(config, parameters);
  throw ConfigError(cat("optim.name: want lars, sgd or adamw, got \"", config.name, "\""));
}

}  // namespace entrain::worker
