//! What has changed behind a window's back: titles that were made, models that came, settings that
//! another window saved. Windows hear of it as events; a terminal need not listen.

/// Something that a window may show has changed; it asks again for what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of conversations, or what one of them holds.
    Conversations,
    /// What the model picker shows.
    Models,
    /// The in-house models on this machine.
    Library,
    /// The person's settings.
    Settings,
}
