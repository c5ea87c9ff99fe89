//! Division that panics. Nothing but remapped paths makes its wasm the same on two machines.

mod checked {
    include!(concat!(env!("OUT_DIR"), "/checked.rs"));
}

#[export_name = "pylon:division/division#divide"]
pub extern "C" fn divide(dividend: i64, divisor: i64) -> i64 {
    checked::divide(dividend, divisor)
}
