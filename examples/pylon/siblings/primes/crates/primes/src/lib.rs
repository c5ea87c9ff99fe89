//! The n-th prime, from the workspace's other crate.

const LIMIT: usize = 8192;

/// The prime number `index` counted from 1, or 0 when it is not below 8192.
#[export_name = "pylon:primes/primes#nth"]
pub extern "C" fn nth(index: u32) -> u32 {
    let primes = sieve::below(LIMIT);
    (index as usize).checked_sub(1).and_then(|place| primes.get(place)).copied().unwrap_or(0)
}
