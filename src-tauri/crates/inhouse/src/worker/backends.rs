//! Finding llama.cpp's compute libraries. One was built for each generation of CPUs, and ggml
//! loads the best one that this CPU can run: no illegal instruction on an old machine, and all the
//! speed of a new one.

use std::path::{Path, PathBuf};

use llama_cpp_2::llama_backend::load_backends_from_path;
use llama_cpp_2::{LlamaBackendDeviceType, list_llama_ggml_backend_devices};

/// Overrides where they are looked for.
const OVERRIDE: &str = "PILOTFISH_BACKENDS";

/// Loads the best library for this CPU; the error is a clause for people.
pub(super) fn load() -> Result<(), String> {
    let places = places();
    let Some(folder) = places.iter().find(|folder| holds_backends(folder)) else {
        let places: Vec<String> = places.iter().map(|p| p.display().to_string()).collect();
        return Err(format!(
            "the libraries that compute (ggml-cpu) are in none of {}: install Pilotfish again",
            places.join(", ")
        ));
    };
    load_backends_from_path(folder);
    let found = list_llama_ggml_backend_devices()
        .iter()
        .any(|device| device.device_type == LlamaBackendDeviceType::Cpu);
    if found {
        Ok(())
    } else {
        Err(format!(
            "none of the libraries in {} runs on this CPU",
            folder.display()
        ))
    }
}

/// Beside the program, or where a package puts them.
fn places() -> Vec<PathBuf> {
    if let Some(folder) = std::env::var_os(OVERRIDE) {
        return vec![PathBuf::from(folder)];
    }
    let Ok(program) = std::env::current_exe() else {
        return Vec::new();
    };
    let Some(folder) = program.parent() else {
        return Vec::new();
    };
    vec![folder.to_owned(), folder.join("../lib/pilotfish")]
}

/// The path must be text: that is all that llama.cpp's interface takes.
fn holds_backends(folder: &Path) -> bool {
    let is_backend = |name: &str| name.contains("ggml-cpu");
    folder.to_str().is_some()
        && std::fs::read_dir(folder).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_str().is_some_and(is_backend))
        })
}
