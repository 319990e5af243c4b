//! How much of a prompt one step reads. A cancel, and another answer's next token, wait for the step
//! that is going on, so a step should be short; but all weights pass through the processor for each,
//! and steps of less than some 32 tokens read several times slower (the 1.5B model on two cores: 16
//! tokens a second by eights, 70 from 32 on). So steps grow and shrink towards a fair time, and never
//! below that size.

use std::time::Duration;

use super::batch::Piece;

/// How long a step should take.
const STEP: Duration = Duration::from_millis(150);
/// Prompt tokens of a step at least, but at a prompt's end.
const MIN_CHUNK: usize = 32;
/// Kernels take tokens by eights.
const KERNEL: usize = 8;
/// Prompt tokens of a step at most; more brings nothing.
pub(super) const MAX_CHUNK: usize = 256;

/// The size of the next step.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    chunk: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { chunk: 64 }
    }
}

impl Pace {
    /// Prompt tokens of the next step.
    pub(super) const fn chunk(self) -> usize {
        self.chunk
    }

    /// Learns from a step. One that read little says little.
    pub(super) fn note(&mut self, pieces: &[Piece], took: Duration) {
        let tokens: usize = pieces.iter().map(|piece| piece.tokens).sum();
        if tokens < MIN_CHUNK || tokens * 2 < self.chunk {
            return;
        }
        let fair = tokens.saturating_mul(micros(STEP)) / micros(took);
        // Never more than twice as far at once: a single step may have been lucky.
        let next = fair.clamp(self.chunk / 2, self.chunk * 2);
        self.chunk = (next - next % KERNEL).clamp(MIN_CHUNK, MAX_CHUNK);
    }
}

/// Microseconds, at least one.
fn micros(time: Duration) -> usize {
    usize::try_from(time.as_micros())
        .unwrap_or(usize::MAX)
        .max(1)
}
