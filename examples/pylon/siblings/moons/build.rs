//! Makes a table of moons.txt: a build that depends on more than its Rust sources.

use std::{env, fs, path::Path};

fn main() {
    println!("cargo:rerun-if-changed=moons.txt");
    let text = fs::read_to_string("moons.txt").expect("moons.txt is there");
    let rows: String = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (planet, moons) = line.split_once(' ').expect("two numbers in a line");
            format!("        {planet} => {moons},\n")
        })
        .collect();
    let code = format!("pub fn of(planet: u32) -> u32 {{\n    match planet {{\n{rows}        _ => 0,\n    }}\n}}\n");
    let directory = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&directory).join("table.rs"), code).expect("OUT_DIR can be written");
}
