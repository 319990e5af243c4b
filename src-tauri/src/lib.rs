//! The shell: the only code that names Tauri. It hosts one [`engine::Engine`] for a window or for a
//! terminal and decides nothing itself.
//!
//! # Layout
//! - [`window`]: the application with its windows, tray and hotkey.
//! - [`commands`]: what the windows may ask for, a few lines each.
//! - [`windows`]: how the windows are made and guarded, and which of them can be seen.
//! - [`tray`], [`hotkey`], [`summon`]: the ways to call the application up.
//! - [`open`]: opening the engine, for every host.
//! - [`doctor`]: what works here, for both hosts.
//! - [`link`]: opening an address in the person's browser.
//! - [`cli`]: the terminal. No GTK is initialised there.

pub mod cli;
mod commands;
mod doctor;
mod hotkey;
mod link;
mod open;
mod summon;
mod tray;
pub mod window;
mod windows;
