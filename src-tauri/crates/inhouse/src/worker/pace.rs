//! How much of a prompt one step reads. A cancel, and another answer's next token, wait for the step
//! that is going on, so a step should be short; but all weights pass through the processor for each,
//! and short steps read slower (the 1.5B model on two cores: 16 tokens a second by eights, 90 by
//! thirty-twos, 102 by a hundred and more). So a step is as large as a fair time allows: a moment
//! that nobody minds when one prompt is read alone, and much less while another answer is written.

use std::time::Duration;

use super::batch::Piece;

/// How long a step may take while nobody else waits for it.
const ALONE: Duration = Duration::from_secs(1);
/// How long it may take while other answers are being written or read for.
const SHARED: Duration = Duration::from_millis(150);
/// Prompt tokens of a step before anything is known.
const FIRST: usize = 64;
/// Prompt tokens of a step at least, but at a prompt's end.
const MIN_CHUNK: usize = 32;
/// Kernels take tokens by eights.
const KERNEL: usize = 8;
/// Prompt tokens of a step at most; more brings nothing.
pub(super) const MAX_CHUNK: usize = 512;

/// How fast prompts are read here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Microseconds for a token, once a step has told.
    token: Option<usize>,
}

impl Pace {
    /// Prompt tokens of the next step.
    pub(super) fn chunk(self, alone: bool) -> usize {
        let Some(token) = self.token else {
            return FIRST;
        };
        let fair = micros(if alone { ALONE } else { SHARED }) / token;
        (fair - fair % KERNEL).clamp(MIN_CHUNK, MAX_CHUNK)
    }

    /// Learns from a step. One that read little says little.
    pub(super) fn note(&mut self, pieces: &[Piece], took: Duration) {
        let tokens: usize = pieces.iter().map(|piece| piece.tokens).sum();
        if tokens < MIN_CHUNK {
            return;
        }
        let new = (micros(took) / tokens).max(1);
        // Never more than twice as fast at once: a single step may have been lucky.
        self.token = Some(self.token.map_or(new, |old| new.max(old / 2)));
    }
}

/// Microseconds, at least one.
fn micros(time: Duration) -> usize {
    usize::try_from(time.as_micros())
        .unwrap_or(usize::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{FIRST, MAX_CHUNK, MIN_CHUNK, Pace};
    use crate::worker::batch::Piece;

    fn after(steps: &[(usize, u64)]) -> Pace {
        let mut pace = Pace::default();
        for &(tokens, millis) in steps {
            pace.note(&[Piece { slot: 0, tokens }], Duration::from_millis(millis));
        }
        pace
    }

    #[test]
    fn steps_take_a_fair_time() {
        assert_eq!(after(&[]).chunk(true), FIRST);
        // Ten milliseconds a token.
        let slow = after(&[(64, 640)]);
        assert_eq!((slow.chunk(true), slow.chunk(false)), (96, MIN_CHUNK));
        let fast = after(&[(64, 64)]);
        assert_eq!((fast.chunk(true), fast.chunk(false)), (MAX_CHUNK, 144));
    }

    #[test]
    fn one_step_is_no_proof() {
        assert_eq!(after(&[(64, 640), (64, 1)]).chunk(true), 200);
        assert_eq!(
            after(&[(64, 640), (8, 1)]).chunk(true),
            96,
            "too few tokens"
        );
        assert_eq!(after(&[(64, 64), (64, 6400)]).chunk(true), MIN_CHUNK);
    }
}
