//! Generates Tauri's context, with the capabilities and permissions of this house's own folders,
//! and tells the program where to find llama.cpp's libraries beside it.

use std::io;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for watched in [
        "src-tauri/capabilities",
        "src-tauri/permissions",
        "tauri.conf.json",
    ] {
        println!("cargo:rerun-if-changed={watched}");
    }
    page_folder_exists(Path::new("ui/dist"))?;
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("./src-tauri/capabilities/*.json")
        .app_manifest(
            tauri_build::AppManifest::new()
                .permissions_path_pattern("./src-tauri/permissions/*.toml"),
        );
    tauri_build::try_build(attributes)?;
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // In the build folder the libraries lie beside the program, in a package under lib/.
        println!("cargo:rustc-link-arg-bins=-Wl,-rpath,$ORIGIN:$ORIGIN/../lib/pilotfish");
    }
    Ok(())
}

/// `tauri::generate_context!` wants the folder to exist. An empty one lets `cargo` work before the
/// page was built; a stub page would hide that it was not.
fn page_folder_exists(folder: &Path) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    std::fs::create_dir_all(folder)
}
