// Runs the kernels as plain C++17 on the processor: blocks one after another, the threads of a block as fibers
// (the default: one after another, in an order that the caller picks) or, with -DSHIM_THREADS, as threads of the
// system, for ThreadSanitizer and AddressSanitizer.
//
// It stops with file and line where a kernel breaks a rule of the device: barriers reached at different lines or
// not by all, lanes of a warp in different shuffles, more threads than the kernel's launch bounds. Shared memory
// is full of NaN when a block begins. What it cannot show: memory ordering weaker than this processor's, bank
// conflicts, registers, time.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <vector>
#ifdef SHIM_THREADS
#include <pthread.h>
#include <semaphore.h>
#include <mutex>
#include <thread>
#endif

struct Dim3 {
    unsigned x, y, z;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};

namespace shim {

[[noreturn]] inline void stop(const char* what, const char* file, int line) {
    std::fprintf(stderr, "shim: %s (%s:%d)\n", what, file, line);
    std::abort();
}

// A kernel under its name.
struct Entry {
    using Run = void (*)(const void*);
    size_t size;
    unsigned most_threads;
    Run run;
    Entry(const char* name, size_t size, std::initializer_list<unsigned> bounds, Run run)
        : size(size), most_threads(*bounds.begin()), run(run) {
        all()[name] = this;
    }
    static std::map<std::string, Entry*>& all() {
        static auto& entries = *new std::map<std::string, Entry*>;  // threads may read it to the very end
        return entries;
    }
};

struct Launch {
    Dim3 grid, block, block_index;
};

inline Dim3 place(unsigned i, Dim3 d) { return {i % d.x, i / d.x % d.y, i / d.x / d.y}; }

inline void poison(char* memory, size_t bytes) {
    const uint32_t nan = 0x7fc0dead;
    for (size_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(memory + i, &nan, 4);
}

#ifdef SHIM_THREADS

struct Barrier {
    pthread_barrier_t barrier;
    explicit Barrier(unsigned n) { pthread_barrier_init(&barrier, nullptr, n); }
    ~Barrier() { pthread_barrier_destroy(&barrier); }
    void wait() { pthread_barrier_wait(&barrier); }
};

struct Block {
    Launch launch;
    char* memory;
    std::unique_ptr<Barrier> all;
    std::vector<std::unique_ptr<Barrier>> warps;
    std::vector<uint64_t> slots;
};

struct Thread {
    Dim3 index;
    unsigned number, parity;
    Block* block;
};

inline thread_local Thread* current;

inline void synchronize(const char*, int) { current->block->all->wait(); }

// Shows v to the lanes of the warp; gives what lane `from` shows.
inline uint64_t exchange(uint64_t v, unsigned from, const char*, int) {
    Block* b = current->block;
    unsigned warp = current->number / 32;
    uint64_t* slots = &b->slots[(warp * 2 + (current->parity ^= 1)) * 32];
    slots[current->number % 32] = v;
    b->warps[warp]->wait();
    return slots[from];
}

// Threads that wait for blocks to run: to make some hundred anew for every block takes most of the time. They end
// with the process.
struct Worker {
    sem_t go;
    std::function<void()> work;
    Worker() {
        sem_init(&go, 0, 0);
        std::thread([this] {
            for (;;) {
                while (sem_wait(&go)) {}
                work();
            }
        }).detach();
    }
};

inline void run_block(const Launch& launch, size_t bytes, int, const std::function<void()>& kernel) {
    static std::vector<Worker*>& workers = *new std::vector<Worker*>;
    static std::mutex& one_block_at_a_time = *new std::mutex;
    std::lock_guard<std::mutex> lock(one_block_at_a_time);
    unsigned n = launch.block.x * launch.block.y * launch.block.z;
    while (workers.size() < n) workers.push_back(new Worker);
    std::unique_ptr<char[]> memory(new char[bytes ? bytes : 1]);  // this size and no more: overruns show
    poison(memory.get(), bytes);
    Block block{launch, memory.get(), std::make_unique<Barrier>(n), {}, {}};
    for (unsigned w = 0; w * 32 < n; w++) block.warps.push_back(std::make_unique<Barrier>(std::min(32u, n - w * 32)));
    block.slots.resize((n + 31) / 32 * 64);
    Barrier end(n + 1);
    for (unsigned i = 0; i < n; i++) {
        workers[i]->work = [&, i] {
            Thread me{place(i, launch.block), i, 0, &block};
            current = &me;
            kernel();
            end.wait();
        };
        sem_post(&workers[i]->go);
    }
    end.wait();
}

inline const Launch& launch_now() { return current->block->launch; }
inline char* shared_memory() { return current->block->memory; }

#else

#if !defined(__x86_64__)
#error "fibers are written for x86-64; elsewhere compile with -DSHIM_THREADS"
#endif
extern "C" void shim_switch(void** save_stack, void* load_stack);
asm(R"(.text
.p2align 4
.weak shim_switch
.type shim_switch,@function
shim_switch:
 pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
 movq %rsp,(%rdi)
 movq %rsi,%rsp
 popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
 ret
.size shim_switch,.-shim_switch)");

constexpr size_t STACK = 32 * 1024;
enum State : uint8_t { RUNS, AT_BARRIER, AT_EXCHANGE, DONE };

struct Thread {
    Dim3 index;
    unsigned number, parity;
    void* stack;
    State state;
    const char* file;
    int line;
};

struct Block {
    Launch launch;
    char* memory;
    std::vector<Thread> threads;
    std::vector<uint64_t> slots;
    std::vector<unsigned> arrived;
    unsigned alive, at_barrier;
    void* scheduler;
    const std::function<void()>* kernel;
};

inline thread_local Thread* current;
inline thread_local Block* block_now;

inline void wait_as(State state, const char* file, int line) {
    Thread* me = current;
    me->state = state;
    me->file = file;
    me->line = line;
    shim_switch(&me->stack, block_now->scheduler);
}

inline void synchronize(const char* file, int line) {
    block_now->at_barrier++;
    wait_as(AT_BARRIER, file, line);
}

inline uint64_t exchange(uint64_t v, unsigned from, const char* file, int line) {
    unsigned warp = current->number / 32;
    size_t slots = (warp * 2 + (current->parity ^= 1)) * 32;
    block_now->slots[slots + current->number % 32] = v;
    block_now->arrived[warp]++;
    wait_as(AT_EXCHANGE, file, line);
    return block_now->slots[slots + from];
}

inline void first_steps() {
    (*block_now->kernel)();
    current->state = DONE;
    block_now->alive--;
    shim_switch(&current->stack, block_now->scheduler);
    std::abort();
}

// Lets the warps go whose lanes have all arrived; whether there was one.
inline bool release_warps(Block& b) {
    bool any = false;
    unsigned n = b.threads.size();
    for (unsigned w = 0; w < b.arrived.size(); w++) {
        unsigned lanes = std::min(32u, n - w * 32);
        if (b.arrived[w] != lanes) continue;
        Thread* t = &b.threads[w * 32];
        for (unsigned i = 0; i < lanes; i++) {
            if (t[i].line != t[0].line) stop("lanes of a warp in different exchanges", t[i].file, t[i].line);
            t[i].state = RUNS;
        }
        b.arrived[w] = 0;
        any = true;
    }
    return any;
}

inline bool release_barrier(Block& b) {
    if (!b.at_barrier || b.at_barrier != b.alive) return false;
    if (b.alive != b.threads.size()) stop("__syncthreads after some threads have returned", "?", 0);
    for (auto& t : b.threads) {
        if (t.line != b.threads[0].line) stop("__syncthreads reached at different lines", t.file, t.line);
        t.state = RUNS;
    }
    b.at_barrier = 0;
    return true;
}

// order 0 runs threads from the first to the last, 1 from the last to the first, others shuffled anew each round.
inline void run_block(const Launch& launch, size_t bytes, int order, const std::function<void()>& kernel) {
    unsigned n = launch.block.x * launch.block.y * launch.block.z;
    static thread_local std::vector<char> stacks;
    stacks.resize(std::max(stacks.size(), n * STACK + 64));
    std::vector<float4> memory(bytes / 16 + 1);
    poison((char*)memory.data(), memory.size() * 16);
    Block b{launch, (char*)memory.data(), std::vector<Thread>(n), {}, {}, n, 0, nullptr, &kernel};
    b.slots.resize((n + 31) / 32 * 64);
    b.arrived.resize((n + 31) / 32);
    block_now = &b;
    for (unsigned i = 0; i < n; i++) {
        void** top = (void**)(((uintptr_t)stacks.data() + (i + 1) * STACK) & ~(uintptr_t)15);
        *--top = nullptr;
        *--top = (void*)first_steps;
        for (int r = 0; r < 6; r++) *--top = nullptr;
        b.threads[i] = {place(i, launch.block), i, 0, top, RUNS, "", 0};
    }
    std::vector<unsigned> turns(n);
    for (unsigned i = 0; i < n; i++) turns[i] = order == 1 ? n - 1 - i : i;
    uint64_t random = 0x9e3779b97f4a7c15ull * (order + 1);
    while (b.alive) {
        if (order >= 2)
            for (unsigned i = n - 1; i; i--) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                std::swap(turns[i], turns[random % (i + 1)]);
            }
        bool any = false;
        for (unsigned i : turns) {
            if (b.threads[i].state != RUNS) continue;
            any = true;
            current = &b.threads[i];
            shim_switch(&b.scheduler, current->stack);
        }
        any |= release_warps(b);
        any |= release_barrier(b);
        if (!any && b.alive) stop("deadlock: some threads wait for others that never come", "?", 0);
    }
}

inline const Launch& launch_now() { return block_now->launch; }
inline char* shared_memory() { return block_now->memory; }

#endif

// v of the lane `from` of this warp.
inline float shuffle(unsigned mask, float v, unsigned from, const char* file, int line) {
    if (mask != 0xffffffffu) stop("only shuffles of whole warps are emulated", file, line);
    uint64_t bits = 0;
    std::memcpy(&bits, &v, 4);
    bits = exchange(bits, from % 32, file, line);
    std::memcpy(&v, &bits, 4);
    return v;
}

inline void launch(const Entry& entry, Dim3 grid, Dim3 block, size_t bytes, int order, const void* args) {
    if (block.x * block.y * block.z > entry.most_threads) stop("more threads than the launch bounds", "?", 0);
    std::function<void()> kernel = [&] { entry.run(args); };
    unsigned n = grid.x * grid.y * grid.z;
    for (unsigned i = 0; i < n; i++)
        run_block({grid, block, place(order == 1 ? n - 1 - i : i, grid)}, bytes, order, kernel);
}

}  // namespace shim

#define threadIdx (shim::current->index)
#define blockIdx (shim::launch_now().block_index)
#define blockDim (shim::launch_now().block)
#define gridDim (shim::launch_now().grid)
#define __syncthreads() shim::synchronize(__FILE__, __LINE__)
#define __shfl_sync(mask, v, from) shim::shuffle(mask, v, from, __FILE__, __LINE__)
#define __shfl_xor_sync(mask, v, with) __shfl_sync(mask, v, (shim::current->number % 32) ^ (with))
