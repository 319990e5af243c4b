//! A slot: one sequence of llama.cpp's cache, the tokens that stand in it, and the answer that is
//! being made from it, if any.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::pick::Picker;
use super::text::TextStream;
use crate::line::{Generate, Tokens};

/// One sequence of the cache.
pub(super) struct Slot {
    /// Its number in llama.cpp.
    pub(super) sequence: u32,
    /// What stands in the cache for it.
    pub(super) cached: Vec<LlamaToken>,
    /// The conversation that it was last used for.
    pub(super) key: Option<String>,
    /// When it was last used, in requests.
    pub(super) used: u64,
    /// The answer that is being made.
    pub(super) job: Option<Job>,
}

impl Slot {
    pub(super) const fn new(sequence: u32) -> Self {
        Self {
            sequence,
            cached: Vec::new(),
            key: None,
            used: 0,
            job: None,
        }
    }

    /// Whether an answer is being made that does not wait for room.
    pub(super) fn is_active(&self) -> bool {
        self.job.as_ref().is_some_and(|job| !job.is_paused)
    }

    /// How many tokens of a prompt stand in this slot already.
    pub(super) fn common_prefix(&self, prompt: &[LlamaToken]) -> usize {
        self.cached
            .iter()
            .zip(prompt)
            .take_while(|(a, b)| a == b)
            .count()
    }
}

/// An answer that is being made.
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) prompt: Vec<LlamaToken>,
    pub(super) picker: Picker,
    pub(super) text: TextStream,
    /// The token that was picked last and is not in the cache yet; `None` while the prompt is read.
    pub(super) pending: Option<LlamaToken>,
    pub(super) max_tokens: u32,
    pub(super) tokens: Tokens,
    /// Whether it waits for room in the cache.
    pub(super) is_paused: bool,
}

impl Job {
    pub(super) fn new(
        model: &LlamaModel,
        request: Generate,
        prompt: Vec<LlamaToken>,
        kept: usize,
    ) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let tokens = Tokens {
            input: count(prompt.len()),
            cached: count(kept),
            output: 0,
        };
        Self {
            id: request.id,
            picker: Picker::new(model, &request.sampling, request.id),
            text: TextStream::new(request.stop),
            pending: None,
            max_tokens: request.max_tokens.unwrap_or(u32::MAX),
            tokens,
            is_paused: false,
            prompt,
        }
    }

    /// Waits for room; then it reads again what `cached` held, and goes on with the next token.
    pub(super) fn pause(&mut self, cached: Vec<LlamaToken>) {
        if let Some(token) = self.pending.take() {
            self.prompt = cached;
            self.prompt.push(token);
        }
        self.is_paused = true;
    }
}
