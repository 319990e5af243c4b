//! Looks at what works here, for `pilotfish doctor`. Nothing outside this machine is asked.

use std::time::{Duration, Instant};

use futures::StreamExt;
use protocol::{AppError, ErrorCode, LibraryEntry, Part, Role};
use providers::{ProviderEvent, Request, RequestMessage};

use crate::Engine;

/// Enough for a large model from a slow disk.
const LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    /// Has the in-house model say one token, the smallest that is here, and tells which it was and
    /// how long that took.
    ///
    /// # Errors
    /// `ModelMissing` when none is here; why it did not answer.
    pub async fn probe_worker(&self) -> Result<String, AppError> {
        let library = self.library().await;
        let ready = library
            .into_iter()
            .filter(|entry| entry.state.can_be_asked());
        let Some(LibraryEntry { id, name, .. }) = ready.min_by_key(|entry| entry.bytes) else {
            return Err(AppError::new(
                ErrorCode::ModelMissing,
                "no in-house model is on this machine: run `pilotfish models pull small`",
            ));
        };
        let began = Instant::now();
        match tokio::time::timeout(LIMIT, self.first_token(id)).await {
            Ok(Ok(())) => Ok(format!(
                "{name} answered in {} ms",
                began.elapsed().as_millis()
            )),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(AppError::new(
                ErrorCode::Overloaded,
                "the in-house model did not answer in a minute: close other programs and try again",
            )),
        }
    }

    /// The database in a sentence: where it is, and what it holds.
    ///
    /// # Errors
    /// The store's.
    pub async fn store_summary(&self) -> Result<String, AppError> {
        let messages = self.readable()?.message_count().await?;
        let snapshots = self.snapshots().await?.len();
        let folder = self.inner.paths.data.display();
        Ok(format!(
            "{messages} messages and {snapshots} snapshots in {folder}"
        ))
    }

    async fn first_token(&self, model: String) -> Result<(), AppError> {
        let hello = RequestMessage {
            role: Role::User,
            parts: vec![Part::text("Hello")],
        };
        let request = Request {
            model,
            messages: vec![hello],
            max_tokens: Some(1),
            ..Request::default()
        };
        let cancel = self.inner.closing.child_token();
        let mut events = self.inner.inhouse.provider().stream(request, None, cancel);
        while let Some(event) = events.next().await {
            if matches!(
                event?,
                ProviderEvent::Text(_) | ProviderEvent::Finished { .. }
            ) {
                return Ok(());
            }
        }
        Err(AppError::new(
            ErrorCode::Interrupted,
            "the in-house model ended without an answer",
        ))
    }
}
