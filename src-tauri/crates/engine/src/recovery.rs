//! A database that does not open as it should: what it is, and the way back.

use protocol::{AppError, ErrorCode, Snapshot, StoreState};
use store::{Opened, Store};

use crate::{Change, Engine, clock};

impl Engine {
    /// How the database opened.
    #[must_use]
    pub fn store_state(&self) -> StoreState {
        match &*self.opened() {
            Opened::Ready(_) => StoreState::Ready,
            Opened::Recovery(recovery) => StoreState::Recovery {
                reason: recovery.reason().to_owned(),
                snapshots: recovery.snapshots().to_vec(),
            },
        }
    }

    /// Copies of the database, newest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, AppError> {
        match &*self.opened() {
            Opened::Ready(store) => Ok(store.snapshots().await?),
            Opened::Recovery(recovery) => Ok(recovery.snapshots().to_vec()),
        }
    }

    /// Puts a snapshot in the place of a damaged database, which is kept beside it, and opens it.
    /// From then on it is looked after like any other: snapshots, the trash.
    ///
    /// # Errors
    /// `InvalidRequest` when the database is not damaged; the store's.
    pub async fn restore_snapshot(&self, name: &str) -> Result<StoreState, AppError> {
        let opened = self.opened();
        let Opened::Recovery(recovery) = &*opened else {
            return Err(AppError::new(
                ErrorCode::InvalidRequest,
                "the database is not damaged, so nothing needs to be restored",
            ));
        };
        recovery.restore(name, clock::now_ms()).await?;
        drop(opened);
        let reopened = Store::open(&self.inner.paths.data).await?;
        if let Opened::Ready(store) = &reopened {
            store.recover().await?;
        }
        self.replace_store(reopened);
        self.keep_house();
        for change in [Change::Conversations, Change::Settings, Change::Models] {
            self.announce(change);
        }
        Ok(self.store_state())
    }
}
