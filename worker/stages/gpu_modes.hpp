#pragma once

namespace entrain::worker {

/// Tells LibTorch how to compute on a GPU, before it does. strict: the same bits each time (deterministic algorithms of
/// cuDNN and cuBLAS only, no choice by timing, float32 without TF32); else TF32 and the fastest algorithms are allowed.
void set_gpu_modes(bool strict);

}  // namespace entrain::worker
