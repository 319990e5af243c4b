//! Sums over whole files, which take seconds: each can be told that nobody waits for it any more.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest, Sha256};

/// Set when nobody waits any more.
pub(super) type Flag = Arc<AtomicBool>;

/// Stops a sum when it is dropped, as the future that waits for it is.
#[derive(Debug, Default)]
pub(in crate::library) struct Stop(Flag);

impl Stop {
    pub(in crate::library) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The SHA-256 of a file in lower-case hexadecimal digits; an error when it was stopped.
pub(in crate::library) fn sha256_until(path: &Path, stop: &AtomicBool) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for the file's sum"));
        }
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&sum.finalize()));
        }
        sum.update(&buffer[..read]);
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
