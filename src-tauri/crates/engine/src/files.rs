//! What the images and files of a conversation hold, read from the store before a request is made.

use std::collections::HashMap;

use bytes::Bytes;
use protocol::{AttachmentId, Message, Part};
use providers::Attached;
use store::Store;

/// The most that the attachments of one request hold, in bytes: what the strictest of the large
/// providers takes, before base 64 makes a third more of it. The newest go first.
const REQUEST_BYTES: usize = 20 * 1024 * 1024;

/// About what an image costs at the size to which providers scale it.
const IMAGE_TOKENS: u64 = 1600;

/// Bytes of a document to a token: about what a page of text with few pictures comes to.
const DOCUMENT_BYTES_PER_TOKEN: usize = 32;

/// The attachments of a branch that are at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    held: HashMap<AttachmentId, Attached>,
}

impl Files {
    /// Reads what the messages show, newest first, as far as one request may hold it. What cannot be
    /// read is not at hand: a conversation goes on without it.
    pub(crate) async fn read(store: &Store, branch: &[Message]) -> Self {
        let mut held = HashMap::new();
        let mut room = REQUEST_BYTES;
        let shown = branch.iter().rev().flat_map(|message| &message.parts);
        for id in shown.filter_map(attachment) {
            if held.contains_key(&id) {
                continue;
            }
            match store.attachment(id).await {
                Ok(attachment) if attachment.bytes.len() <= room => {
                    room -= attachment.bytes.len();
                    held.insert(id, attached(&attachment.media_type, attachment.bytes));
                }
                Ok(_) => tracing::info!(%id, "an attachment has no room in the request"),
                Err(error) => tracing::warn!(%id, %error, "an attachment was not read"),
            }
        }
        Self { held }
    }

    /// What an attachment holds, when it is at hand.
    pub(crate) fn get(&self, id: AttachmentId) -> Option<&Attached> {
        self.held.get(&id)
    }

    /// About how many tokens an image or a document costs; nothing for other parts.
    pub(crate) fn tokens_of(&self, part: &Part) -> u64 {
        match part {
            Part::Image { .. } => IMAGE_TOKENS,
            Part::File { attachment, .. } => match self.held.get(attachment) {
                Some(Attached::Bytes(bytes)) => {
                    u64::try_from(bytes.len() / DOCUMENT_BYTES_PER_TOKEN).unwrap_or(u64::MAX)
                }
                Some(Attached::Text(_)) | None => 0,
            },
            Part::Text { .. }
            | Part::Thinking { .. }
            | Part::ToolCall { .. }
            | Part::ToolResult { .. } => 0,
        }
    }

    /// Those that the messages of a request show.
    pub(crate) fn shown_in<'a>(
        &self,
        parts: impl Iterator<Item = &'a Part>,
    ) -> HashMap<AttachmentId, Attached> {
        let held = |id| Some((id, self.held.get(&id)?.clone()));
        parts.filter_map(attachment).filter_map(held).collect()
    }
}

fn attachment(part: &Part) -> Option<AttachmentId> {
    match part {
        Part::Image { attachment, .. } | Part::File { attachment, .. } => Some(*attachment),
        Part::Text { .. }
        | Part::Thinking { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. } => None,
    }
}

/// A file is text when it reads as such, whatever its media type says: no name of a programming
/// language is known to all.
fn attached(media_type: &str, bytes: Vec<u8>) -> Attached {
    let is_shown = media_type.starts_with("image/") || is_document(media_type);
    match is_shown {
        true => Attached::Bytes(Bytes::from(bytes)),
        false => match String::from_utf8(bytes) {
            Ok(text) => Attached::Text(text),
            Err(error) => Attached::Bytes(Bytes::from(error.into_bytes())),
        },
    }
}

/// Whether models that take documents take this one as it is.
pub(crate) fn is_document(media_type: &str) -> bool {
    media_type == "application/pdf"
}
