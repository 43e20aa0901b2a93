#include "memory.hpp"

#include <cstdlib>
#include <new>
#include <stdexcept>

namespace enet {

namespace {
constexpr size_t kLine = 64;    // a cache line: also holds the pointer to the block before
constexpr size_t kSlack = 256;  // full vectors may be read past the end
}  // namespace

void* Arena::allocate(size_t count, size_t size) {
  if (count > (limit_ - used_) / size) throw std::bad_alloc();
  size_t bytes = (count * size + kSlack + kLine - 1) / kLine * kLine + kLine;
  if (bytes > limit_ - used_) throw std::bad_alloc();
  // calloc leaves the pages of large blocks untouched; aligning by hand keeps that.
  void* block = std::calloc(bytes + kLine, 1);
  if (!block) throw std::bad_alloc();
  auto address = (reinterpret_cast<uintptr_t>(block) + kLine - 1) / kLine * kLine;
  auto** header = reinterpret_cast<void**>(address);
  header[0] = last_;
  header[1] = block;
  last_ = header;
  used_ += bytes;
  return reinterpret_cast<void*>(address + kLine);
}

Arena::~Arena() {
  while (last_) {
    auto** header = static_cast<void**>(last_);
    last_ = header[0];
    std::free(header[1]);
  }
}

const float* WeightReader::take(size_t count) {
  if (count > left_) throw std::invalid_argument("there are fewer weights than the network has");
  const float* weights = next_;
  next_ += count;
  left_ -= count;
  return weights;
}

}  // namespace enet
