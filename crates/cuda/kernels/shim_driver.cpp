// A driver without a GPU: libcuda.so.1 with the functions that src/driver.rs calls, over the shim. With it that file
// runs on this processor, and so do the program, the tests and the scripts that are made for a GPU.
//
//     g++ -std=c++17 -O2 -march=native -ffp-contract=off -fPIC -shared shim_driver.cpp -o DIR/libcuda.so.1
//     LD_LIBRARY_PATH=DIR longhand train --device cuda …
//
// As lazy as the real one may be: what is asked of a stream is done when somebody waits for it, so a copy that nobody
// waits for comes too late, and page-locked memory that is written again too early spoils what is copied from it. New
// memory holds NaN; addresses outside of it, and arguments that do not fit, end the process.
//
// FAKE_CUDA says what is wrong: no-device, old-driver, old-gpu, no-memory, bad-ptx, small-blocks (99 KB of shared memory).
#include <chrono>
#include <deque>
#include <mutex>
#include <set>

#include "all.cu"

namespace {

using Code = int;
constexpr Code OK = 0, OUT_OF_MEMORY = 2, NO_DEVICE = 100, INVALID_PTX = 218, NOT_FOUND = 500;

std::mutex& one_at_a_time = *new std::mutex;
using Lock = std::lock_guard<std::mutex>;

bool fault(const char* name) {
    const char* given = std::getenv("FAKE_CUDA");
    return given && !std::strcmp(given, name);
}

// What a stream has still to do, and how much of it is done.
struct Stream {
    std::deque<std::function<void()>> left;
    uint64_t asked = 0, done = 0;
    void ask(std::function<void()> work) {
        left.push_back(std::move(work));
        asked++;
    }
    void run_to(uint64_t n) {
        while (done < n) {
            auto work = std::move(left.front());
            left.pop_front();
            done++;
            work();
        }
    }
};

struct Event {
    Stream* stream = nullptr;
    uint64_t place = 0;
    std::chrono::steady_clock::time_point time;
};

std::set<Stream*>& streams = *new std::set<Stream*>;
std::map<uint64_t, std::vector<uint64_t>*>& memory = *new std::map<uint64_t, std::vector<uint64_t>*>;
std::map<const shim::Entry*, std::string>& names = *new std::map<const shim::Entry*, std::string>;

void run_all() {
    for (Stream* s : streams) s->run_to(s->asked);
}

void check(uint64_t at, size_t bytes) {
    auto after = memory.upper_bound(at);
    if (after != memory.begin()) {
        auto& [start, piece] = *std::prev(after);
        if (at + bytes <= start + 8 * piece->size()) return;
    }
    shim::stop("a copy from or to what is no memory of the device", "?", 0);
}

Stream* stream_of(void* s) {
    if (!streams.count((Stream*)s)) shim::stop("no such stream", "?", 0);
    return (Stream*)s;
}

}  // namespace

extern "C" {

Code cuInit(unsigned) { return fault("no-device") ? NO_DEVICE : OK; }

Code cuDriverGetVersion(int* version) {
    *version = fault("old-driver") ? 11080 : 13000;
    return OK;
}

Code cuDeviceGetCount(int* n) {
    *n = 1;
    return OK;
}

Code cuDeviceGet(int* device, int) {
    *device = 0;
    return OK;
}

Code cuDeviceGetName(char* name, int len, int) {
    std::snprintf(name, len, "no GPU, the shim's driver");
    return OK;
}

Code cuDeviceGetAttribute(int* value, int which, int) {
    switch (which) {
        case 75: *value = fault("old-gpu") ? 7 : 9; return OK;  // compute capability
        case 76: *value = fault("old-gpu") ? 5 : 0; return OK;
        case 16: *value = 4; return OK;  // multiprocessors
        case 97: *value = (fault("small-blocks") ? 99 : 227) << 10; return OK;  // shared memory of a block
    }
    shim::stop("an attribute of a device that the shim's driver does not know", "?", which);
}

Code cuDevicePrimaryCtxRetain(void** context, int) {
    *context = (void*)0xc0de;
    return OK;
}

Code cuCtxSetCurrent(void* context) { return context == (void*)0xc0de ? OK : 201; }

Code cuCtxSynchronize() {
    Lock lock(one_at_a_time);
    run_all();
    return OK;
}

Code cuModuleLoadDataEx(void** module, const void* image, unsigned n, const int* options, void** values) {
    if (n != 2 || options[0] != 5 || options[1] != 6) {  // the log of errors, and its size
        shim::stop("options of the driver's compiler that the shim's driver does not know", "?", n);
    }
    if (fault("bad-ptx") || std::strncmp((const char*)image, "// sources ", 11)) {
        std::snprintf((char*)values[0], (size_t)values[1],
                      "ptxas application ptx input, line 7; fatal: no such thing\n");
        return INVALID_PTX;
    }
    *module = (void*)0xbeef;
    return OK;
}

Code cuModuleGetFunction(void** function, void* module, const char* name) {
    auto found = shim::Entry::all().find(name);
    if (module != (void*)0xbeef || found == shim::Entry::all().end()) return NOT_FOUND;
    Lock lock(one_at_a_time);
    names[found->second] = name;
    *function = found->second;
    return OK;
}

Code cuFuncSetAttribute(void*, int which, int bytes) {
    return which == 8 && bytes <= 227 << 10 ? OK : 1;
}

Code cuStreamCreate(void** stream, unsigned) {
    Lock lock(one_at_a_time);
    *stream = *streams.insert(new Stream).first;
    return OK;
}

Code cuStreamSynchronize(void* s) {
    Lock lock(one_at_a_time);
    Stream* stream = stream_of(s);
    stream->run_to(stream->asked);
    return OK;
}

Code cuStreamWaitEvent(void* s, void* e, unsigned) {
    Lock lock(one_at_a_time);
    Event now = *(Event*)e;  // what it says at this moment counts
    stream_of(s)->ask([now] {
        if (now.stream) now.stream->run_to(now.place);
    });
    return OK;
}

Code cuStreamDestroy_v2(void* s) {
    Lock lock(one_at_a_time);
    Stream* stream = stream_of(s);
    stream->run_to(stream->asked);
    streams.erase(stream);  // kept: an event may still name it
    return OK;
}

Code cuEventCreate(void** e, unsigned) {
    *e = new Event;
    return OK;
}

Code cuEventRecord(void* e, void* s) {
    Lock lock(one_at_a_time);
    Event* event = (Event*)e;
    Stream* stream = stream_of(s);
    stream->ask([event] { event->time = std::chrono::steady_clock::now(); });
    event->stream = stream;
    event->place = stream->asked;
    return OK;
}

Code cuEventSynchronize(void* e) {
    Lock lock(one_at_a_time);
    Event* event = (Event*)e;
    if (event->stream) event->stream->run_to(event->place);
    return OK;
}

Code cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    *milliseconds = std::chrono::duration<float, std::milli>(((Event*)end)->time - ((Event*)start)->time).count();
    return OK;
}

Code cuEventDestroy_v2(void*) { return OK; }  // kept: see above

Code cuMemAlloc_v2(uint64_t* at, size_t bytes) {
    if (fault("no-memory")) return OUT_OF_MEMORY;
    Lock lock(one_at_a_time);
    auto* piece = new std::vector<uint64_t>((bytes + 7) / 8, 0x7fc0dead7fc0deadull);
    *at = (uint64_t)piece->data();
    memory[*at] = piece;
    return OK;
}

Code cuMemFree_v2(uint64_t at) {
    Lock lock(one_at_a_time);
    run_all();
    auto found = memory.find(at);
    if (found == memory.end()) return 1;
    delete found->second;
    memory.erase(found);
    return OK;
}

Code cuMemGetInfo_v2(size_t* free, size_t* total) {
    *free = 3 << 20;
    *total = 4 << 20;
    return OK;
}

Code cuMemHostAlloc(void** at, size_t bytes, unsigned) {
    *at = std::malloc(bytes);
    return OK;
}

Code cuMemFreeHost(void* at) {
    std::free(at);
    return OK;
}

Code cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, void* s) {
    Lock lock(one_at_a_time);
    stream_of(s)->ask([=] {
        check(to, bytes);
        std::memcpy((void*)to, from, bytes);
    });
    return OK;
}

Code cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void* s) {
    Lock lock(one_at_a_time);
    stream_of(s)->ask([=] {
        check(from, bytes);
        check(to, bytes);
        std::memmove((void*)to, (const void*)from, bytes);
    });
    return OK;
}

Code cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, void* s) {
    Lock lock(one_at_a_time);
    stream_of(s)->ask([=] {
        check(from, bytes);
        std::memcpy(to, (const void*)from, bytes);
    });
    return OK;
}

Code cuMemsetD8Async(uint64_t at, unsigned char value, size_t bytes, void* s) {
    Lock lock(one_at_a_time);
    stream_of(s)->ask([=] {
        check(at, bytes);
        std::memset((void*)at, value, bytes);
    });
    return OK;
}

Code cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void* s, void** args, void** extra) {
    Lock lock(one_at_a_time);
    auto* entry = (const shim::Entry*)function;
    if (extra || !names.count(entry)) shim::stop("a launch of what is no kernel", "?", 0);
    if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || bx * by * bz > 1024) return 1;  // the device's own bounds
    if (shared > (fault("small-blocks") ? 99u : 227u) << 10) return 1;
    // The driver copies the arguments before it returns.
    auto copy = std::make_shared<std::vector<uint64_t>>((entry->size + 7) / 8);
    std::memcpy(copy->data(), args[0], entry->size);
    stream_of(s)->ask([=] { shim::launch(*entry, {gx, gy, gz}, {bx, by, bz}, shared, 0, copy->data()); });
    return OK;
}

Code cuGetErrorString(Code, const char** text) {
    *text = "an error of the shim's driver";
    return OK;
}

Code cuGetErrorName(Code, const char** text) {
    *text = "FAKE";
    return OK;
}

}  // extern "C"
