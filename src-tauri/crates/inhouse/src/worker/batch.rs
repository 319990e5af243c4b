//! What one step decodes: the next token of each answer that is being written, and pieces of the
//! prompts that are being read.

use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use super::session::Session;
use super::slot::Job;

/// Where in the batch a slot's next token will be picked from.
pub(super) struct Pick {
    pub(super) slot: usize,
    pub(super) at: i32,
}

/// Tokens of a prompt that are in the batch.
pub(super) struct Piece {
    pub(super) slot: usize,
    pub(super) tokens: usize,
}

impl Session<'_> {
    /// Fills the batch. Answers come first, then prompts, the one that was asked first in front.
    pub(super) fn fill_batch(&mut self) -> (Vec<Pick>, Vec<Piece>) {
        self.batch.clear();
        let (mut picks, mut pieces) = (Vec::new(), Vec::new());
        let mut order: Vec<usize> = (0..self.slots.len())
            .filter(|&index| self.slots[index].is_active())
            .collect();
        let mut room = self.pace.chunk(order.len() == 1);
        order.sort_by_key(|&index| self.slots[index].used);
        for &index in &order {
            let slot = &self.slots[index];
            let Some(Job {
                pending: Some(token),
                ..
            }) = &slot.job
            else {
                continue;
            };
            let (token, position) = (*token, slot.cached.len());
            let at = self.batch.n_tokens();
            if add(&mut self.batch, token, position, slot.sequence, true) {
                picks.push(Pick { slot: index, at });
            }
        }
        for &index in &order {
            let slot = &self.slots[index];
            let Some(Job {
                pending: None,
                prompt,
                ..
            }) = &slot.job
            else {
                continue;
            };
            let from = slot.cached.len();
            let to = prompt.len().min(from + room);
            for (position, token) in prompt.iter().enumerate().take(to).skip(from) {
                let is_last = position + 1 == prompt.len();
                let at = self.batch.n_tokens();
                add(&mut self.batch, *token, position, slot.sequence, is_last);
                if is_last {
                    picks.push(Pick { slot: index, at });
                }
            }
            if to > from {
                pieces.push(Piece {
                    slot: index,
                    tokens: to - from,
                });
                room -= to - from;
            }
        }
        (picks, pieces)
    }
}

fn add(
    batch: &mut LlamaBatch<'static>,
    token: LlamaToken,
    position: usize,
    sequence: u32,
    wanted: bool,
) -> bool {
    let position = i32::try_from(position).unwrap_or(i32::MAX);
    batch
        .add(token, position, &[sequence.cast_signed()], wanted)
        .is_ok()
}
