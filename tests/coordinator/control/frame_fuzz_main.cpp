// frame_fuzz ITERATIONS [SECONDS [SEED]]: random changes of right frames and of hostile JSON, always the same for one
// seed. Stops after either limit; the line it prints says how far it came.
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "coordinator/control/frame.hpp"
#include "coordinator/control/mac.hpp"
#include "coordinator/control/messages.hpp"
#include "tests/coordinator/control/frame_fuzz.hpp"
#include "tests/support/fuzz_loop.hpp"

namespace entrain::tests {
namespace {

using control::Message;

std::vector<Message> examples() {
  const std::string nonce(control::kSecretBytes, 'n');
  control::NodeBeat beat{"n1", 1200, {{}, {}}};
  beat.ranks[1].rank = 1;
  beat.ranks[1].stack = "main (entrain-worker)\n";
  beat.ranks[1].gpu = {0.5, 6e10, 71, 400, {}};
  return {control::Challenge{nonce},
          control::Hello{nonce, "n1", {{0, 17}, {1, 18}}, 4, 3, "b", "c", "d"},
          control::Lease{3, 4, 3600.5},
          control::Lease{3, 4, std::nullopt},
          beat,
          control::Stop{"preempted"},
          control::Stacks{},
          control::Fence{2, "over"},
          control::Committed{1200},
          control::Bye{0, 75, "asked"}};
}

// One input per way of LLVMFuzzerTestOneInput, each right before it is changed.
std::vector<std::string> seeds() {
  std::vector<std::string> out;
  control::FrameWriter writer(0x1122334455667788, std::string(control::kSecretBytes, 'k'));
  std::string all;
  for (const auto& message : examples()) {
    const std::string payload = control::payload_of(message);
    out.push_back(std::string("\x02") + static_cast<char>(message.index()) + payload);
    all += writer.write(control::type_of(message), 3, payload);
  }
  out.push_back(std::string(1, '\0') + all);
  out.push_back("\x01" + all);
  for (const char* hostile :
       {"[[[[[[[[[[", "{\"rank\":1e999}", "{\"step\":18446744073709551616}", "\"\\ud800\"", "nul"})
    for (char type = 0; type < 9; ++type) out.push_back(std::string("\x02") + type + hostile);
  return out;
}

std::string changed(std::string input, const std::vector<std::string>& others, std::mt19937_64& random) {
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  static const std::vector<std::string> kBits{"0",
                                              "-1",
                                              "1e308",
                                              "null",
                                              "true",
                                              "[",
                                              "]",
                                              "{",
                                              "}",
                                              "\"",
                                              ",",
                                              ":",
                                              "[[[[",
                                              "9223372036854775808",
                                              "\xff",
                                              "\\u",
                                              std::string(1, '\0'),
                                              "18446744073709551615"};
  for (std::size_t changes = below(6); changes > 0 && input.size() > 1; --changes) {
    const std::size_t at = 1 + below(input.size() - 1);
    switch (below(7)) {
      case 0:
        input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 1:
        input[at] = static_cast<char>(random());
        break;
      case 2:
        input.erase(at, 1 + below(8));
        break;
      case 3:
        input.insert(at, kBits[below(kBits.size())]);
        break;
      case 4:
        input.resize(at);
        break;
      case 5:
        input.insert(at, input.substr(at, below(64)));
        break;
      default: {
        const auto& other = others[below(others.size())];
        input += other.substr(below(other.size()));
      }
    }
  }
  return input;
}

int run(const FuzzLimits& limits) {
  const auto inputs = seeds();
  const std::uint64_t done = fuzz_within(limits, [&](std::mt19937_64& random) {
    const std::string input = changed(inputs[random() % inputs.size()], inputs, random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
  });
  const auto& counts = fuzz_counts();
  std::printf("frame_fuzz: seed %llu, %llu inputs, %llu frames, %llu messages, %llu refusals\n",
              static_cast<unsigned long long>(limits.seed), static_cast<unsigned long long>(done),
              static_cast<unsigned long long>(counts.frames),
              static_cast<unsigned long long>(counts.messages),
              static_cast<unsigned long long>(counts.refusals));
  return counts.frames > 100 && counts.messages > 100 && counts.refusals > 100 ? 0 : 1;
}

}  // namespace
}  // namespace entrain::tests

int main(int argc, char** argv) { return entrain::tests::run({argc, argv}); }
