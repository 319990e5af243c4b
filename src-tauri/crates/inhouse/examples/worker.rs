//! The worker as a program of its own, for tests: a test cannot be `pilotfish worker`.

fn main() -> std::process::ExitCode {
    inhouse::worker_main()
}
