// Keeps the addon's code in the process for good: the engine thread is never joined and may outlive
// the environment that loaded the addon (a worker that ends).
#pragma once

namespace hs {

// Does nothing on Linux, where the linker marks the library (-z nodelete). Throws Error(kInternal)
// where the system refuses.
void pin_library();

}  // namespace hs
