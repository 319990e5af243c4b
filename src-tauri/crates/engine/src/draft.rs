//! An answer while it grows, shared by the turn that writes it and its readers: a slow or hidden
//! window holds nothing up, and one that comes late misses nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::{ModelRef, Part, TurnStarted};
use providers::ProviderEvent;
use tokio::sync::watch;

use crate::grown::{End, Grown, Origin, Switch};

/// An answer while it grows.
#[derive(Debug)]
pub(crate) struct Draft {
    started: TurnStarted,
    grown: Mutex<Grown>,
    grew: watch::Sender<()>,
}

impl Draft {
    /// An empty draft, or one that begins with the parts of the answer that is continued. When
    /// `joined`, new text goes on in the last of them.
    pub(crate) fn new(started: TurnStarted, parts: &[Part], joined: bool) -> Self {
        Self {
            started,
            grown: Mutex::new(Grown::new(parts, joined)),
            grew: watch::Sender::new(()),
        }
    }

    pub(crate) fn started(&self) -> &TurnStarted {
        &self.started
    }

    pub(crate) fn follow(&self) -> watch::Receiver<()> {
        self.grew.subscribe()
    }

    /// Folds one event in.
    pub(crate) fn fold(&self, event: ProviderEvent, origin: &Origin, at: i64) {
        self.grown().fold(event, origin, at);
        self.grew.send_replace(());
    }

    /// Says that earlier messages were left out.
    pub(crate) fn set_dropped(&self, messages: u32) {
        self.grown().dropped = messages;
        self.grew.send_replace(());
    }

    /// Says how many of the old messages are summed up.
    pub(crate) fn set_summarising(&self, done: u32, total: u32) {
        self.grown().summarising = Some((done, total));
        self.grew.send_replace(());
    }

    /// Says which model is asked, where that is not the one that was chosen.
    pub(crate) fn set_asked(&self, model: Option<ModelRef>) {
        self.grown().asked = model;
    }

    /// Begins anew with another model.
    pub(crate) fn switch(&self, switch: Switch) {
        self.grown().switch(switch);
        self.grew.send_replace(());
    }

    /// Ends the draft; the first end stands.
    pub(crate) fn end(&self, end: End) {
        self.grown().end.get_or_insert(end);
        self.grew.send_replace(());
    }

    /// The draft as it is, for its end and for those who look at it once.
    pub(crate) fn snapshot(&self) -> Grown {
        self.grown().clone()
    }

    /// Reads under the lock; for readers that take only what is new.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Grown) -> T) -> T {
        read(&self.grown())
    }

    fn grown(&self) -> MutexGuard<'_, Grown> {
        self.grown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use protocol::{ConversationId, MessageId, ModelRef, TurnId, TurnStarted};

    use super::Draft;
    use crate::grown::End;

    #[test]
    fn the_first_end_stands() {
        let started = TurnStarted {
            turn_id: TurnId::generate(),
            conversation_id: ConversationId::generate(),
            user_message_id: None,
            message_id: MessageId::generate(),
            model: ModelRef::inhouse("default"),
        };
        let draft = Draft::new(started, &[], false);
        draft.end(End::Cancelled);
        draft.end(End::Finished);
        assert_eq!(draft.snapshot().end, Some(End::Cancelled));
    }
}
