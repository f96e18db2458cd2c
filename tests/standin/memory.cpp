#include "tests/standin/memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "configs/cat.hpp"

namespace entrain::standin {
namespace {

const std::size_t kPage = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

std::size_t up_to_page(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

std::map<char*, std::size_t>& blocks() {  // from allocate(): where, and bytes asked for
  static auto& all = *new std::map<char*, std::size_t>;
  return all;
}
std::vector<Flight*>& flights() {
  static auto& all = *new std::vector<Flight*>;
  return all;
}

bool meets(const Flight& f, const char* begin, std::size_t bytes) {
  return f.begin() < begin + bytes && begin < f.begin() + f.bytes();
}

struct Pages {
  char* begin = nullptr;
  char* end = nullptr;
};

// The pages that hold nothing but the range: a neighbour may be anybody's. A block's last page belongs to it whole.
Pages whole_pages(const char* begin, std::size_t bytes) {
  auto it = blocks().upper_bound(const_cast<char*>(begin));
  if (bytes == 0 || it == blocks().begin()) return {};
  --it;
  const std::size_t first = begin - it->first, last = first + bytes;
  if (last > it->second) return {};
  const std::size_t to = last == it->second ? up_to_page(last) : last / kPage * kPage;
  const std::size_t from = up_to_page(first);
  return from < to ? Pages{it->first + from, it->first + to} : Pages{};
}

void protect(const Pages& pages, int protection) {
  if (pages.begin) ::mprotect(pages.begin, static_cast<std::size_t>(pages.end - pages.begin), protection);
}

void guard(const Flight& f) {
  protect(whole_pages(f.begin(), f.bytes()), f.use() == Use::kWrite ? PROT_NONE : PROT_READ);
}

std::string touched(const Flight& f) {
  return f.use() == Use::kWrite
             ? cat("the result of ", f.what(), " is read or written before it has run: nothing waited for it")
             : cat("what ", f.what(), " reads is written while it is under way");
}
Misuse kind_of(const Flight& f) {
  return f.use() == Use::kWrite  ? Misuse::kComputeDoesNotWait
         : f.use() == Use::kRead ? Misuse::kFreedInFlight
                                 : Misuse::kHostWritten;
}

struct sigaction former_action;

// An access that may not be: told where it happens. Anything else is not ours.
void on_fault(int, siginfo_t* info, void*) {
  const char* at = static_cast<const char*>(info->si_addr);
  for (const Flight* f : flights()) {
    const Pages pages = whole_pages(f->begin(), f->bytes());
    if (pages.begin <= at && at < pages.end) misuse(kind_of(*f), touched(*f));
  }
  ::sigaction(SIGSEGV, &former_action, nullptr);
}

void catch_faults() {
  static const bool once = [] {
    struct sigaction action {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    return ::sigaction(SIGSEGV, &action, &former_action) == 0;
  }();
  (void)once;
}

// NaN in every floating type, and its bits go through sums and products: 0xfff5 in each half word.
constexpr std::uint32_t kPoison = 0xfff5fff5, kSign = 0x80000000;

void poison(char* begin, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) begin[i] = static_cast<char>(i % 2 == 0 ? 0xf5 : 0xff);
}
bool is_poison(const char* begin, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    if (static_cast<unsigned char>(begin[i]) != (i % 2 == 0 ? 0xf5 : 0xff)) return false;
  return true;
}
// One word in a large buffer may be chance, two neighbours are not.
bool holds_poison(const char* begin, std::size_t bytes) {
  const std::size_t words = bytes / 4;
  std::size_t run = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    std::memcpy(&word, begin + 4 * i, 4);
    run = (word | kSign) == (kPoison | kSign) ? run + 1 : 0;
    if (run == 2 || (run == 1 && words < 64)) return true;
  }
  return false;
}

}  // namespace

void* allocate(std::size_t bytes) {
  catch_faults();
  void* memory = ::mmap(nullptr, up_to_page(std::max<std::size_t>(bytes, 1)), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  blocks()[static_cast<char*>(memory)] = bytes;
  return memory;
}

bool release(void* memory) {
  const auto it = blocks().find(static_cast<char*>(memory));
  if (it == blocks().end()) return false;
  for (const Flight* f : flights())
    if (meets(*f, it->first, it->second))
      misuse(Misuse::kFreedInFlight, cat("memory is freed while ", f->what(), " uses it"));
  ::munmap(it->first, up_to_page(std::max<std::size_t>(it->second, 1)));
  blocks().erase(it);
  return true;
}

Flight::Flight(Use use, const void* memory, std::size_t bytes, std::string what)
    : use_(use),
      begin_(static_cast<char*>(const_cast<void*>(memory))),
      bytes_(bytes),
      what_(std::move(what)) {
  for (const Flight* f : flights())
    if (meets(*f, begin_, bytes_) && (use_ == Use::kWrite || f->use() == Use::kWrite))
      misuse(Misuse::kComputeDoesNotWait,
             cat(what_, use_ == Use::kWrite ? " writes" : " reads", " memory that ", f->what(), " still ",
                 f->use() == Use::kWrite ? "writes" : "reads"));
  if (use_ == Use::kWrite) {
    poison(begin_, bytes_);
  } else {
    contents_ = std::make_unique<char[]>(bytes_);
    std::memcpy(contents_.get(), begin_, bytes_);
    if (holds_poison(begin_, bytes_))
      misuse(Misuse::kComputeDoesNotWait,
             cat(what_, " is given numbers that come from an operation that had not run"));
  }
  flights().push_back(this);
  guard(*this);
}

Flight::~Flight() { end(); }

void Flight::require_unchanged() const {
  if (over_) return;
  if (use_ == Use::kWrite) {
    protect(whole_pages(begin_, bytes_), PROT_READ);
    if (!is_poison(begin_, bytes_))
      misuse(Misuse::kFreedInFlight,
             cat("the memory of the result of ", what_, " was written before it had run"));
    guard(*this);
  } else if (std::memcmp(contents_.get(), begin_, bytes_) != 0) {
    misuse(kind_of(*this), touched(*this));
  }
}

void Flight::end() {
  if (std::exchange(over_, true)) return;
  std::erase(flights(), this);
  protect(whole_pages(begin_, bytes_), PROT_READ | PROT_WRITE);
  for (const Flight* f : flights())
    if (f->begin() < begin_ + bytes_ + kPage && begin_ < f->begin() + f->bytes() + kPage) guard(*f);
}

}  // namespace entrain::standin
