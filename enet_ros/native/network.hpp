// What the variants of the engine implement.
#pragma once
#include <cstddef>
#include <cstdint>

#include "enet_native.h"
#include "memory.hpp"

namespace enet {

class Network {
 public:
  virtual ~Network();
  // See enet_run.
  virtual void run(const uint8_t* image, uint8_t* labels, uint8_t* confidence) = 0;
};

// columns, rows: as in enet_create; columns and the arena outlive the network.
using CreateNetwork = Network* (*)(const EnetSpec& spec, WeightReader& weights, Arena& arena,
                                   const int32_t* columns, const int32_t* rows);

}  // namespace enet
