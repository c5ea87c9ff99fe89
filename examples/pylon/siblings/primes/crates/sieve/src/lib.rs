//! The sieve of Eratosthenes.

/// All primes below `limit`, smallest first.
pub fn below(limit: usize) -> Vec<u32> {
    let mut composite = vec![false; limit];
    let mut primes = Vec::new();
    for number in 2..limit {
        if !composite[number] {
            primes.push(number as u32);
            for multiple in (number * number..limit).step_by(number) {
                composite[multiple] = true;
            }
        }
    }
    primes
}
