#pragma once
#include "base/memory.h"

namespace hs {

// The heap. Lives as long as the process.
Memory& host_memory();

}  // namespace hs
