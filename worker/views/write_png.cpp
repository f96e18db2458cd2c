#include <png.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "configs/cat.hpp"
#include "configs/error.hpp"
#include "worker/views/canvas.hpp"

namespace entrain::worker {

void write_png(const Canvas& canvas, const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(canvas.width());
  image.height = static_cast<png_uint_32>(canvas.height());
  image.format = PNG_FORMAT_RGB;
  const std::string temporary = path + ".tmp";
  std::string reason;
  std::error_code error;
  errno = 0;
  if (!png_image_write_to_file(&image, temporary.c_str(), 0, canvas.rgb().data(), 0, nullptr))
    reason = errno != 0 ? std::strerror(errno) : image.message;
  else if (std::filesystem::rename(temporary, path, error); error)
    reason = error.message();
  if (reason.empty()) return;
  std::filesystem::remove(temporary, error);
  throw DataError(cat(path, ": cannot write the picture: ", reason));
}

}  // namespace entrain::worker
