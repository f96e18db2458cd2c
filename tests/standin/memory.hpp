#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/standin/misuse.hpp"

// Memory between the call that hands it to an operation and the end of that operation. All under the engine's lock.
namespace entrain::standin {

/// Page-aligned memory of its own pages, so that it can be guarded; nullptr where there is none left.
void* allocate(std::size_t bytes);
/// Misuse where an operation still uses it. False: not from allocate().
bool release(void* memory);

enum class Use {
  kRead,      ///< an operation reads it: nobody may write
  kWrite,     ///< an operation writes it: nobody may read or write
  kHostRead,  ///< an upload reads it, and the host has not yet seen its end
};

/// One range that an operation uses. Its contents are kept (reads) or poisoned (writes), and in memory from allocate()
/// an access that may not be is caught where it happens.
class Flight {
 public:
  Flight(Use use, const void* memory, std::size_t bytes, std::string what);
  ~Flight();
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;

  /// What a read range held when the operation was called: what the operation works on.
  const char* contents() const { return contents_.get(); }
  /// Misuse where the range was changed since.
  void require_unchanged() const;
  /// Lets everybody at the memory again.
  void end();

  Use use() const { return use_; }
  const char* begin() const { return begin_; }
  std::size_t bytes() const { return bytes_; }
  const std::string& what() const { return what_; }

 private:
  Use use_;
  char* begin_;
  std::size_t bytes_;
  std::string what_;
  std::unique_ptr<char[]> contents_;
  bool over_ = false;
};

}  // namespace entrain::standin
