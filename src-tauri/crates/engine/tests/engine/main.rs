//! The engine through its public door: a real store in a folder of its own, a real HTTP server on
//! loopback that says what each test tells it to, and nothing else.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers beside the tests fail like the tests themselves"
)]

mod answers;
mod api_keys;
mod branches;
mod catalog;
mod cluster;
mod disk;
mod egress;
mod failover;
mod hostile;
mod house;
mod inhouse;
mod keys;
mod limits;
mod models;
mod recovery;
mod restart;
mod scripted;
mod switching;
mod windows;
