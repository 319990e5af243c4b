//! Which slot a conversation gets, and what of the cache it keeps.
//!
//! The cache is unified: a cell can belong to several sequences, so the prefix that two
//! conversations share (the system prompt) is computed once, and a new turn of a conversation
//! computes only what was not there before.

use llama_cpp_2::token::LlamaToken;

use super::session::Session;

impl Session<'_> {
    /// The conversation's own slot; else an empty one; else the one longest unused.
    pub(super) fn choose(&self, key: Option<&str>) -> Option<usize> {
        let free = || {
            self.slots
                .iter()
                .enumerate()
                .filter(|(_, slot)| slot.job.is_none())
        };
        free()
            .find(|(_, slot)| key.is_some() && slot.key.as_deref() == key)
            .or_else(|| free().find(|(_, slot)| slot.cached.is_empty()))
            .or_else(|| free().min_by_key(|(_, slot)| slot.used))
            .map(|(index, _)| index)
    }

    /// Makes a slot hold as much of the prompt as any slot holds, and nothing else. The last token
    /// is always read anew: its outcome is what the answer begins with.
    pub(super) fn keep_prefix(&mut self, chosen: usize, prompt: &[LlamaToken]) -> usize {
        let most = prompt.len() - 1;
        let own = self.slots[chosen].common_prefix(prompt).min(most);
        let (source, best) = self
            .slots
            .iter()
            .enumerate()
            .map(|(index, slot)| (index, slot.common_prefix(prompt).min(most)))
            .max_by_key(|&(_, common)| common)
            .unwrap_or((chosen, own));
        let sequence = self.slots[chosen].sequence;
        let kept = if best > own {
            let from = self.slots[source].sequence;
            let cleared = self.context.clear_kv_cache_seq(Some(sequence), None, None);
            let (from, to) = (from.cast_signed(), sequence.cast_signed());
            let end = u32::try_from(best).ok();
            match cleared.and_then(|_| self.context.copy_kv_cache_seq(from, to, Some(0), end)) {
                Ok(()) => best,
                Err(_) => 0,
            }
        } else {
            own
        };
        // Some architectures cannot forget a part: they start again.
        let start = u32::try_from(kept).ok();
        let trimmed = self.context.clear_kv_cache_seq(Some(sequence), start, None);
        let kept = if trimmed == Ok(true) { kept } else { 0 };
        if kept == 0 {
            let _ = self.context.clear_kv_cache_seq(Some(sequence), None, None);
        }
        self.slots[chosen].cached = prompt[..kept].to_vec();
        kept
    }

    /// Forgets the conversation that was longest not spoken in; false when there is none.
    pub(super) fn evict_oldest(&mut self) -> bool {
        let idle = self
            .slots
            .iter_mut()
            .filter(|s| s.job.is_none() && !s.cached.is_empty());
        let Some(oldest) = idle.min_by_key(|slot| slot.used) else {
            return false;
        };
        let _ = self
            .context
            .clear_kv_cache_seq(Some(oldest.sequence), None, None);
        oldest.cached.clear();
        oldest.key = None;
        true
    }
}
