//! Puts llama.cpp's shared libraries where a program that was built here finds them: beside it.
//!
//! `llama-cpp-sys-2` leaves them in its own folder and links only the unversioned names, which the
//! loader does not ask for.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=DEP_LLAMA_BACKENDS_DIR");
    let (Some(backends), Some(out)) = (
        env::var_os("DEP_LLAMA_BACKENDS_DIR"),
        env::var_os("OUT_DIR"),
    ) else {
        return Ok(());
    };
    let backends = PathBuf::from(backends);
    println!("cargo:rerun-if-changed={}", backends.display());
    // target/PROFILE/build/inhouse-HASH/out
    let out = PathBuf::from(out);
    let Some(profile) = out.ancestors().nth(3) else {
        return Ok(());
    };
    let folders = [
        profile.to_owned(),
        profile.join("examples"),
        profile.join("deps"),
    ];
    let linked = backends.parent().map(|sys| sys.join("lib"));
    for source in [Some(backends), linked].into_iter().flatten() {
        for file in libraries(&source)? {
            for folder in &folders {
                place(&file, folder)?;
            }
        }
    }
    if env::var_os("CARGO_CFG_UNIX").is_some() {
        // Old tags: the path must also hold for what the libraries themselves ask for.
        println!("cargo:rustc-link-arg-examples=-Wl,--disable-new-dtags,-rpath,$ORIGIN");
    }
    Ok(())
}

/// The shared libraries of a folder.
fn libraries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.contains(".so") || name.contains(".dylib") || name.ends_with(".dll") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Links or copies a file into a folder, whatever stood there under its name.
fn place(file: &Path, folder: &Path) -> io::Result<()> {
    let Some(name) = file.file_name() else {
        return Ok(());
    };
    fs::create_dir_all(folder)?;
    let source = fs::canonicalize(file)?;
    let target = folder.join(name);
    match fs::remove_file(&target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::hard_link(&source, &target).or_else(|_| fs::copy(&source, &target).map(drop))
}
