//! Two pieces of work at a time.

use crate::simd;

/// Does `a` and `b`, side by side if another thread of the pool that this one belongs to has nothing else to do. Neither
/// may depend on the other, so the results are the same either way.
///
/// ```
/// assert_eq!(tensor::both(|| 1 + 1, || "two"), (2, "two"));
/// ```
pub fn both<A: Send, B: Send>(
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    // A level that was forced holds on this thread alone; and one outside of the pool would have to wait for it.
    if simd::is_forced() || rayon::current_thread_index().is_none() {
        return (a(), b());
    }
    rayon::join(a, b)
}
