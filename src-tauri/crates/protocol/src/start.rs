//! Everything a window needs for its first frame, in one answer.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ConversationSummary, LibraryEntry, ModelGroup, Settings, StoreState};

/// The state of the application when a window opens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Start {
    /// Pilotfish's version.
    pub version: String,
    /// What the person set.
    pub settings: Settings,
    /// How the database opened.
    pub store: StoreState,
    /// The newest 100 conversations, pinned ones first.
    pub conversations: Vec<ConversationSummary>,
    /// What can be chosen, from what is known without asking anyone.
    pub models: Vec<ModelGroup>,
    /// The in-house models.
    pub library: Vec<LibraryEntry>,
}
