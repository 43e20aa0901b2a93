// Memory of a network, and the reader of its weights.
#pragma once
#include <cstddef>
#include <cstdint>

namespace enet {

// Zeroed blocks, each on a cache line, which are freed together.
class Arena {
 public:
  // limit: bytes; an allocation beyond it throws std::bad_alloc.
  explicit Arena(size_t limit) : limit_(limit) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();
  template <class T> T* get(size_t count) { return static_cast<T*>(allocate(count, sizeof(T))); }
  size_t used() const { return used_; }

 private:
  void* allocate(size_t count, size_t size);
  void* last_ = nullptr;  // each block starts with a pointer to the block before it
  size_t used_ = 0, limit_;
};

// Hands out consecutive tensors.
class WeightReader {
 public:
  WeightReader(const float* weights, size_t count) : next_(weights), left_(count) {}
  // The next `count` weights. Throws std::invalid_argument if there are fewer.
  const float* take(size_t count);
  size_t left() const { return left_; }

 private:
  const float* next_;
  size_t left_;
};

}  // namespace enet
