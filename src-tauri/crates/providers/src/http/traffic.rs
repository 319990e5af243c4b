//! How many bytes a call took, counted where they pass, so that what a person is told of it does
//! not rest on what anybody says.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Ask;

/// The bytes of the bodies that were sent and that came, unpacked. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Traffic(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Traffic {
    /// Bytes that left.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Bytes that came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Counts a request as sent, from before it is: one whose sender goes away may have left.
    pub(super) fn sending(&self, ask: &Ask) -> Sending<'_> {
        let bytes = match ask {
            Ask::List => 0,
            Ask::Fact(body) | Ask::Answer(body) => as_u64(body.len()),
        };
        self.0.sent.fetch_add(bytes, Ordering::Relaxed);
        Sending {
            traffic: self,
            bytes,
        }
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.0.received.fetch_add(as_u64(bytes), Ordering::Relaxed);
    }
}

/// A request that is counted as sent.
pub(super) struct Sending<'a> {
    traffic: &'a Traffic,
    bytes: u64,
}

impl Sending<'_> {
    /// It did not leave: there was no connection.
    pub(super) fn take_back(self) {
        self.traffic.0.sent.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
