#pragma once
#include <string>
#include <vector>

#include "worker/models/parameters.hpp"

namespace entrain::worker {

/// optim.exclude -> per parameter, in order: is it left out of weight decay and trust ratio?
///   one_dim  biases and norm parameters: at most one dimension (Barlow Twins)
///   google   the projection head's BatchNorm and every bias that is not a norm's, as the released SimCLR
///            code has it: its patterns 'batch_normalization' and 'bias' do not match BiT's group_norm/gamma
///            and beta, so GroupNorm parameters do decay there
///   none     nothing
///   else     a regular expression (ECMAScript), searched for in names
/// Throws ConfigError on an expression that is malformed or matches no parameter.
std::vector<bool> excluded(const std::string& exclude, const ParameterSet& parameters);

}  // namespace entrain::worker
