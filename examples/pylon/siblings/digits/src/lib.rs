//! Sums of decimal digits. No dependencies: the exported name is the canonical ABI's, written by hand.

#[export_name = "pylon:digits/digits#sum"]
pub extern "C" fn sum(mut number: u64) -> u32 {
    let mut total = 0;
    while number > 0 {
        total += (number % 10) as u32;
        number /= 10;
    }
    total
}
