//! The in-house model: its library on disk and the worker process around llama.cpp.
//!
//! llama.cpp never runs inside the application. A child process, [`worker_main`], owns it and
//! speaks JSON lines; a damaged file, an abort or running out of memory ends that child, costs one
//! answer and shows a clear error.
//!
//! # Layout
//! - [`gguf`]: a check of every model file in Rust, before llama.cpp sees it.
//! - [`library`]: the models folder: what is there, fetching by the catalogue, importing.
//! - `protocol lines`: what the application and the worker say to each other.
//! - `process`: the worker as a child: started when needed, ended when idle, replaced when it dies.
//! - `provider`: the same as a [`providers::Provider`] named `inhouse`.
//! - `worker`: the child's side, the only code that names llama.cpp.

pub mod gguf;
pub mod library;

mod catalogue;
mod config;
mod line;
mod process;
mod provider;
mod worker;

pub use config::{Config, WorkerCommand};
pub use library::{DEFAULT, HUB_HOST, Library, LibraryError, Resolved, SMALL};
pub use provider::{Answering, Inhouse};
pub use worker::worker_main;
