//! The engine through its public door: a real store in a folder of its own, a real HTTP server on
//! loopback that says what each test tells it to, and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers beside the tests fail like the tests themselves"
)]

mod answers;
mod branches;
mod house;
mod keys;
mod models;
mod restart;
mod scripted;
mod windows;
