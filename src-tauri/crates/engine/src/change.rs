//! What has changed behind a window's back: titles that were made, models that came, settings that
//! another window saved. Windows hear of it as events; a terminal need not listen.

use protocol::ConversationId;

/// Something that a window may show has changed; it asks again for what it shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of conversations, or what one of them holds.
    Conversations,
    /// What the model picker shows.
    Models,
    /// The in-house models on this machine.
    Library,
    /// The person's settings.
    Settings,
    /// A conversation was given a title by the house.
    Titled {
        /// The conversation.
        conversation_id: ConversationId,
        /// Its title.
        title: String,
    },
}
