//! The console may not be built yet when the server is: its folder is there then, and empty.
#![forbid(unsafe_code)]

fn main() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../web-console/build");
    std::fs::create_dir_all(folder).expect("the folder of the console's files can be created");
    println!("cargo:rerun-if-changed={folder}");
}
