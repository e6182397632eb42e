// The kernels as a library for this processor: one function that launches them by name.
#include "all.cu"

// Bytes of a kernel's arguments; 0 if there is no such kernel.
extern "C" size_t shim_arguments(const char* name) {
    auto found = shim::Entry::all().find(name);
    return found == shim::Entry::all().end() ? 0 : found->second->size;
}

extern "C" void shim_launch(const char* name, const unsigned grid[3], const unsigned block[3], size_t bytes,
                            int order, const void* args) {
    auto found = shim::Entry::all().find(name);
    if (found == shim::Entry::all().end()) shim::stop("no such kernel", name, 0);
    Dim3 g{grid[0], grid[1], grid[2]}, b{block[0], block[1], block[2]};
    shim::launch(*found->second, g, b, bytes, order, args);
}
