#pragma once
// What nearly every unit that sees LibTorch needs. ivalue.h first: clang trips over torch's headers otherwise.
#include <ATen/core/ivalue.h>
#include <ATen/ATen.h>
