//! Writes code that can panic into OUT_DIR: rustc knows it by an absolute path, which the panic carries into the wasm.

use std::{env, fs, path::Path};

const CODE: &str = r#"
pub fn divide(dividend: i64, divisor: i64) -> i64 {
    if divisor == 0 {
        panic!("divided by zero");
    }
    dividend.wrapping_div(divisor)
}
"#;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let directory = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&directory).join("checked.rs"), CODE).expect("OUT_DIR can be written");
}
