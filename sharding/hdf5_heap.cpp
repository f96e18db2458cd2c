#include "sharding/hdf5_heap.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace entrain::sharding {
namespace {
constexpr std::uint64_t kLargestHeap = std::uint64_t{1} << 30;
constexpr std::size_t kCachedBytes = std::size_t{16} << 20;

std::uint64_t number(const std::byte* at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(at[i]);
  return value;
}

// A conversion that leaves references as they are: libhdf5 asks it for "variable-length text to opaque bytes", which
// it does not know itself. Both are equally long, so there is nothing to do.
herr_t keep_reference(hid_t from, hid_t to, H5T_cdata_t* data, std::size_t, std::size_t, std::size_t, void*,
                      void*, hid_t) {
  if (data->command != H5T_CONV_INIT) return 0;
  data->need_bkg = H5T_BKG_NO;
  return H5Tis_variable_str(from) > 0 && H5Tget_class(to) == H5T_OPAQUE ? 0 : -1;
}

H5Type opaque(std::size_t bytes) { return {H5Tcreate(H5T_OPAQUE, bytes), "type of a text reference"}; }

void register_conversion() {
  static const bool done = [] {
    const H5Type text(H5Tcopy(H5T_C_S1), "text type");
    H5Tset_size(text, H5T_VARIABLE);
    return H5Tregister(H5T_PERS_SOFT, "text references", text, opaque(16), keep_reference) >= 0;
  }();
  if (!done) throw DataError("libhdf5 takes no conversion of text references");
}
}  // namespace

TextHeaps::TextHeaps(hid_t object, std::string where) : where_(std::move(where)) {
  register_conversion();
  file_ = H5File(H5Iget_file_id(object), where_);
  const H5Properties access(H5Fget_access_plist(file_), where_), made(H5Fget_create_plist(file_), where_);
  void* descriptor = nullptr;
  if (H5Pget_driver(access) != H5FD_SEC2 || H5Fget_vfd_handle(file_, access, &descriptor) < 0 || !descriptor)
    throw DataError(
        cat(where_, ": text of variable length can only be read from plain files (is HDF5_DRIVER set?)"));
  descriptor_ = *static_cast<int*>(descriptor);
  hsize_t user_block = 0;
  if (H5Pget_userblock(made, &user_block) < 0 || H5Pget_sizes(made, &address_bytes_, &size_bytes_) < 0 ||
      address_bytes_ > 8 || size_bytes_ > 8)
    throw DataError(cat(where_, ": cannot tell how wide its addresses are: ", hdf5_reason()));
  base_ = user_block;
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0)
    throw DataError(cat(where_, ": cannot read: ", std::strerror(errno)));
  file_bytes_ = static_cast<std::uint64_t>(status.st_size);
  reference_type_ = opaque(reference_bytes());
}

void TextHeaps::damaged(std::uint64_t address, const std::string& how) const {
  throw DataError(cat(where_, ": the text in the heap at byte ", address, " cannot be read: ", how,
                      "; the file is damaged, make or copy it again"));
}

void TextHeaps::read_at(std::uint64_t address, std::byte* out, std::size_t bytes) const {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t n =
        ::pread(descriptor_, out + done, bytes - done, static_cast<off_t>(base_ + address + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) damaged(address, n < 0 ? std::strerror(errno) : "the file ends within it");
    done += static_cast<std::size_t>(n);
  }
}

TextHeaps::Heap TextHeaps::read_heap(std::uint64_t address) const {
  const std::size_t head = 8 + size_bytes_;
  if (address > file_bytes_ || file_bytes_ - address < head)
    damaged(address, cat("the file has ", file_bytes_, " bytes"));
  std::byte start[16];
  read_at(address, start, head);
  if (std::memcmp(start, "GCOL\1", 5) != 0) damaged(address, "there is no heap");
  const std::uint64_t bytes = number(start + 8, size_bytes_);
  if (bytes < head || bytes > kLargestHeap || bytes > file_bytes_ - address)
    damaged(address, cat("it says that it has ", bytes, " bytes, the file has ", file_bytes_));
  Heap heap;
  heap.bytes.resize(bytes);
  read_at(address, heap.bytes.data(), bytes);
  for (std::size_t at = head; bytes - at >= head;) {
    const std::uint64_t index = number(&heap.bytes[at], 2), size = number(&heap.bytes[at + 8], size_bytes_);
    if (index == 0) break;  // the rest is free
    if (size > bytes - at - head)
      damaged(address, cat("entry ", index, " says that it has ", size, " bytes, the heap has ", bytes));
    heap.objects[index] = {at + head, size};
    at += head + std::min<std::uint64_t>((size + 7) / 8 * 8, bytes - at - head);
  }
  return heap;
}

const TextHeaps::Heap& TextHeaps::heap_at(std::uint64_t address) {
  if (const auto at = heaps_.find(address); at != heaps_.end()) return at->second;
  if (cached_bytes_ > kCachedBytes) heaps_.clear(), cached_bytes_ = 0;
  const Heap& heap = heaps_.emplace(address, read_heap(address)).first->second;
  cached_bytes_ += heap.bytes.size();
  return heap;
}

std::string_view TextHeaps::text(const std::byte* reference) {
  const std::uint64_t length = number(reference, 4), address = number(reference + 4, address_bytes_),
                      index = number(reference + 4 + address_bytes_, 4);
  if (length == 0 || address == 0) return {};
  const Heap& heap = heap_at(address);
  const auto at = heap.objects.find(index);
  if (at == heap.objects.end()) damaged(address, cat("it has no entry ", index));
  const auto [offset, bytes] = at->second;
  if (bytes < length) damaged(address, cat("entry ", index, " has ", bytes, " bytes, its text ", length));
  const char* start = reinterpret_cast<const char*>(heap.bytes.data()) + offset;
  return {start, strnlen(start, length)};
}

}  // namespace entrain::sharding
