#pragma once
#include <string>
#include <string_view>

#include "coordinator/control/beat.hpp"

namespace entrain::control {

/// A heartbeat on the wire, little-endian, so that a thousand nodes a second cost next to nothing to read:
/// u16 length and text of the host | i64 committed | u16 number of ranks | per rank i32 rank, i64 pid, u64 beats,
/// i64 step, i64 total_steps, u8 phase, f64 seconds_in_phase, u64 collectives, i32 queue_depth, u64 memory_bytes,
/// f64 step_seconds, i32 signal, u8 stopped, u8 which values of the GPU are known (bit i: kGpuLoadFields[i]) and an f64 for
/// each of them, u16 length and text of the stack. Texts that are not UTF-8 are mended.
std::string packed(const NodeBeat& beat);

/// DataError for whatever packed() would not have written: too short, too long, a value out of range.
NodeBeat unpacked(std::string_view payload);

}  // namespace entrain::control
