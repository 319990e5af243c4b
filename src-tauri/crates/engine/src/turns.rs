//! The turns that run: one at a time in a conversation, found by the answer that grows or by the
//! turn's id. And the answers that have ended and could not be stored yet.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::{AppError, ConversationId, ErrorCode, MessageId, TurnId};
use store::Finish;
use tokio_util::sync::CancellationToken;

use crate::draft::Draft;
use crate::grown::End;
use crate::outcome;

/// Turns that have ended are still found, so that a caller who follows what it has just started
/// never comes too late.
const ENDED_KEPT: usize = 8;

/// A turn that runs, or that has just ended.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) draft: Arc<Draft>,
    /// Ends the turn; a child of the engine's own token.
    pub(crate) cancel: CancellationToken,
}

/// The end of an answer that the store did not take, on a full disk say: nowhere else is all of its
/// text.
#[derive(Debug)]
pub(crate) struct Unsaved {
    pub(crate) finish: Finish,
    /// Why it is not stored, and what to do.
    pub(crate) error: AppError,
}

/// All turns of an engine.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    reserved: HashSet<ConversationId>,
    running: HashMap<ConversationId, Arc<Turn>>,
    ended: VecDeque<Arc<Turn>>,
    unsaved: HashMap<MessageId, Arc<Unsaved>>,
}

/// A conversation's only place for a turn. Dropping it frees the place and ends what ran in it, so
/// that a turn which breaks in an unforeseen way neither blocks its conversation nor leaves its
/// readers waiting.
#[derive(Debug)]
pub(crate) struct Slot {
    turns: Arc<Turns>,
    conversation: ConversationId,
    turn: Option<Arc<Turn>>,
    freed: bool,
}

impl Turns {
    /// Takes a conversation's place.
    pub(crate) fn reserve(
        self: &Arc<Self>,
        conversation: ConversationId,
    ) -> Result<Slot, AppError> {
        if self.state().reserved.insert(conversation) {
            Ok(Slot {
                turns: Arc::clone(self),
                conversation,
                turn: None,
                freed: false,
            })
        } else {
            Err(AppError::new(
                ErrorCode::Busy,
                "an answer is still being written in this conversation: stop it or wait for it",
            ))
        }
    }

    /// The turn that writes, or has just written, the given answer.
    pub(crate) fn of_message(&self, message: MessageId) -> Option<Arc<Turn>> {
        let state = self.state();
        let writes = |turn: &&Arc<Turn>| turn.draft.started().message_id == message;
        let running = state.running.values().find(writes);
        running
            .or_else(|| state.ended.iter().rev().find(writes))
            .map(Arc::clone)
    }

    /// Asks a turn to end; one that has ended stays as it is.
    pub(crate) fn cancel(&self, id: TurnId) {
        let state = self.state();
        if let Some(turn) = state
            .running
            .values()
            .find(|t| t.draft.started().turn_id == id)
        {
            turn.cancel.cancel();
        }
    }

    /// Asks a conversation's turn to end, if one runs.
    pub(crate) fn cancel_in(&self, conversation: ConversationId) {
        if let Some(turn) = self.state().running.get(&conversation) {
            turn.cancel.cancel();
        }
    }

    /// Keeps the end of an answer until it is stored.
    pub(crate) fn keep_unsaved(&self, message: MessageId, unsaved: Arc<Unsaved>) {
        self.state().unsaved.insert(message, unsaved);
    }

    /// The end of an answer that could not be stored yet.
    pub(crate) fn unsaved(&self, message: MessageId) -> Option<Arc<Unsaved>> {
        self.state().unsaved.get(&message).cloned()
    }

    /// Forgets what is stored now, or is gone with its conversation.
    pub(crate) fn forget_unsaved(&self, message: MessageId) {
        self.state().unsaved.remove(&message);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Puts a turn into the place: from now on it is found.
    pub(crate) fn begin(&mut self, draft: Draft, cancel: CancellationToken) -> Arc<Turn> {
        let turn = Arc::new(Turn {
            draft: Arc::new(draft),
            cancel,
        });
        self.turn = Some(Arc::clone(&turn));
        self.turns
            .state()
            .running
            .insert(self.conversation, Arc::clone(&turn));
        turn
    }

    /// Frees the place and then ends the turn, so that whoever hears of the end can ask at once.
    pub(crate) fn end(mut self, end: End) {
        self.free();
        if let Some(turn) = &self.turn {
            turn.draft.end(end);
        }
    }

    fn free(&mut self) {
        if std::mem::replace(&mut self.freed, true) {
            return;
        }
        let mut state = self.turns.state();
        state.reserved.remove(&self.conversation);
        if let Some(turn) = state.running.remove(&self.conversation) {
            if state.ended.len() == ENDED_KEPT {
                state.ended.pop_front();
            }
            state.ended.push_back(turn);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.free();
        if let Some(turn) = &self.turn {
            turn.draft.end(End::Failed(outcome::broke_inside()));
        }
    }
}
