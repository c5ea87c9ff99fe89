//! The root of pylon: asks every cap and tells what they say.

use std::mem::ManuallyDrop;

mod caps {
    #[link(wasm_import_module = "pylon:digits/digits")]
    extern "C" {
        pub fn sum(number: u64) -> u32;
    }

    #[link(wasm_import_module = "pylon:primes/primes")]
    extern "C" {
        pub fn nth(index: u32) -> u32;
    }

    #[link(wasm_import_module = "pylon:moons/moons")]
    extern "C" {
        #[link_name = "of-planet"]
        pub fn of_planet(planet: u32) -> u32;
    }

    #[link(wasm_import_module = "pylon:mixer/mixer")]
    extern "C" {
        pub fn mix(first: u32, second: u32) -> u32;
    }

    #[link(wasm_import_module = "pylon:ratio/ratio")]
    extern "C" {
        pub fn share(part: i64, whole: i64) -> i64;
        pub fn rest(number: i64, share: u32) -> i64;
    }
}

/// Where the canonical ABI finds a string result: its address and its length in bytes.
#[repr(C)]
pub struct Text {
    address: *mut u8,
    length: usize,
}

/// One sentence of numbers, each from another cap.
#[export_name = "pylon:tower/tower#describe"]
pub extern "C" fn describe(number: u32) -> *mut Text {
    let (prime, moons, mixed, rest, share) = unsafe {
        (
            caps::nth(number),
            caps::of_planet(6),
            caps::mix(number, 6),
            caps::rest(number.into(), 25),
            caps::share(caps::of_planet(6).into(), caps::of_planet(5).into()),
        )
    };
    let digits = unsafe { caps::sum(mixed.into()) };
    let sentence = format!(
        "prime {number} is {prime}; Saturn has {moons} moons, {share} % of Jupiter's; \
         {number} without a quarter is {rest}; the digits of its mix sum up to {digits}"
    );
    let mut bytes = ManuallyDrop::new(sentence.into_bytes());
    bytes.shrink_to_fit();
    Box::into_raw(Box::new(Text { address: bytes.as_mut_ptr(), length: bytes.len() }))
}

/// Called by the host once it has read the string (the canonical ABI's post-return).
///
/// # Safety
/// `text` comes from `describe` and is not used again.
#[export_name = "cabi_post_pylon:tower/tower#describe"]
pub unsafe extern "C" fn free_text(text: *mut Text) {
    let text = Box::from_raw(text);
    drop(Vec::from_raw_parts(text.address, text.length, text.length));
}
