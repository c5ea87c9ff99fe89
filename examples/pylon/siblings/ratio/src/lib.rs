//! What share of a whole a part is, made of two other caps' interfaces.

#[link(wasm_import_module = "pylon:division/division")]
extern "C" {
    fn divide(dividend: i64, divisor: i64) -> i64;
}

#[link(wasm_import_module = "pylon:scale/scale")]
extern "C" {
    fn percent(number: i64, share: u32) -> i64;
}

/// The part per whole, in percent.
#[export_name = "pylon:ratio/ratio#share"]
pub extern "C" fn share(part: i64, whole: i64) -> i64 {
    unsafe { divide(part * 100, whole) }
}

/// The rest of a number when a share of it, in percent, is taken away.
#[export_name = "pylon:ratio/ratio#rest"]
pub extern "C" fn rest(number: i64, share: u32) -> i64 {
    number - unsafe { percent(number, share) }
}
