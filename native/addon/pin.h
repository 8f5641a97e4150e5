// Keeps the addon's code in the process for good: the engine thread is never joined and may outlive
// the environment that loaded the addon (a worker that ends).
#pragma once

namespace hs {

// On Linux the linker has said so already (-z nodelete). Throws Error(kInternal) where the system
// refuses.
void pin_library();

}  // namespace hs
