//! How the next token is picked from what the model thinks of all of them. A vocabulary has up to a
//! quarter of a million tokens and is looked over for each one, so the likeliest is found by our own
//! pass, which sees damaged weights too; llama.cpp's sampler would copy the vocabulary first.

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;

use crate::line::Sampling;

/// Tokens that the repeat penalty looks back on.
const PENALTY_WINDOW: i32 = 64;
/// As many numbers as the widest registers hold.
const LANES: usize = 16;

/// Picks an answer's tokens.
pub(super) enum Picker {
    /// Always the likeliest.
    Likeliest,
    /// By chance, as the request says.
    Sampled(LlamaSampler),
}

impl Picker {
    pub(super) fn new(model: &LlamaModel, sampling: &Sampling, id: u64) -> Self {
        if sampling.temperature <= 0.0 {
            return Self::Likeliest;
        }
        let mut chain = Vec::new();
        if (sampling.repeat_penalty - 1.0).abs() > f32::EPSILON {
            let penalty = sampling.repeat_penalty;
            chain.push(LlamaSampler::penalties(
                model.n_vocab(),
                PENALTY_WINDOW,
                penalty,
                0.0,
                0.0,
            ));
        }
        if let Ok(k @ 1..) = i32::try_from(sampling.top_k) {
            chain.push(LlamaSampler::top_k(k));
        }
        chain.push(LlamaSampler::top_p(sampling.top_p, 1));
        chain.push(LlamaSampler::min_p(sampling.min_p, 1));
        chain.push(LlamaSampler::temp(sampling.temperature));
        chain.push(LlamaSampler::dist(
            sampling.seed.unwrap_or_else(|| fresh_seed(id)),
        ));
        Self::Sampled(LlamaSampler::chain(chain, true))
    }

    /// The next token behind the batch's token `at`; `None` when the weights are damaged.
    pub(super) fn pick(&mut self, context: &LlamaContext<'_>, at: i32) -> Option<LlamaToken> {
        let likeliest = likeliest(context.get_logits_ith(at))?;
        match self {
            Self::Likeliest => i32::try_from(likeliest).ok().map(LlamaToken),
            Self::Sampled(sampler) => Some(sampler.sample(context, at)),
        }
    }
}

/// Where the largest number stands, the first of equals; `None` when one is no number.
fn likeliest(logits: &[f32]) -> Option<usize> {
    let mut largest = [f32::NEG_INFINITY; LANES];
    let mut no_number = [false; LANES];
    // Lane by lane, so that the compiler may take sixteen at once.
    let (whole, rest) = logits.as_chunks::<LANES>();
    for chunk in whole {
        for lane in 0..LANES {
            largest[lane] = largest[lane].max(chunk[lane]);
            no_number[lane] |= chunk[lane].is_nan();
        }
    }
    if no_number.contains(&true) || rest.iter().any(|logit| logit.is_nan()) {
        return None;
    }
    let largest = largest
        .iter()
        .chain(rest)
        .copied()
        .fold(f32::NEG_INFINITY, f32::max);
    logits.iter().position(|&logit| logit >= largest)
}

/// A seed that no other answer had: hashers are keyed at random in each process.
fn fresh_seed(id: u64) -> u32 {
    use std::hash::{BuildHasher, RandomState};
    let bytes = RandomState::new().hash_one(id).to_le_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

#[cfg(test)]
mod tests {
    use super::{LANES, likeliest};

    #[test]
    fn the_first_of_the_largest_is_the_likeliest() {
        assert_eq!(likeliest(&[1.0, 3.0, 2.0, 3.0]), Some(1));
        assert_eq!(likeliest(&[f32::NEG_INFINITY; 3]), Some(0));
        assert_eq!(likeliest(&[]), None);
        let long: Vec<f32> = (0_u8..100).map(f32::from).collect();
        assert_eq!(likeliest(&long), Some(99));
        let falling: Vec<f32> = long.iter().rev().copied().collect();
        assert_eq!(likeliest(&falling), Some(0));
    }

    #[test]
    fn one_that_is_no_number_tells_of_damage() {
        for length in [1, LANES, LANES + 1, 100] {
            for at in 0..length {
                let mut logits = vec![1.0; length];
                logits[at] = f32::NAN;
                assert_eq!(likeliest(&logits), None, "{at} of {length}");
            }
        }
    }
}
