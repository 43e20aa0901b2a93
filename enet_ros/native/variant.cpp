// One variant of the engine. Compiled once for each instruction set, with ENET_VARIANT as its
// name. Nothing here may instantiate templates of the standard library: the linker would share
// them among variants, and a processor could meet instructions that it lacks.
#include "enet.hpp"

namespace enet::ENET_VARIANT {

Network* create(const EnetSpec& spec, WeightReader& weights, Arena& arena, const int32_t* columns,
                const int32_t* rows) {
  return new ENet<ENET_ELEMENT>(spec, weights, arena, columns, rows);
}

}  // namespace enet::ENET_VARIANT
