//! Tokens, which come at the beginning of an answer and again, as sums so far, at its end.

use protocol::Usage;
use serde_json::Value;

/// The numbers told last, each by itself: a later report may hold only some of them.
#[derive(Debug, Default)]
pub(super) struct Counter {
    fresh: Option<u64>,
    written: Option<u64>,
    read: Option<u64>,
    output: Option<u64>,
    thinking: Option<u64>,
    /// OpenRouter says it on this wire too.
    cost: Option<f64>,
    told: Usage,
}

impl Counter {
    /// Takes a report; gives the usage when that is news.
    pub(super) fn count(&mut self, report: &Value) -> Option<Usage> {
        let note = |number: &mut Option<u64>, value: Option<&Value>| {
            *number = value.and_then(Value::as_u64).or(*number);
        };
        note(&mut self.fresh, report.get("input_tokens"));
        note(&mut self.written, report.get("cache_creation_input_tokens"));
        note(&mut self.read, report.get("cache_read_input_tokens"));
        note(&mut self.output, report.get("output_tokens"));
        let details = report.get("output_tokens_details");
        let thinking = details.and_then(|details| details.get("thinking_tokens"));
        note(&mut self.thinking, thinking);
        let cost = report.get("cost").and_then(Value::as_f64);
        self.cost = cost.filter(|cost| *cost >= 0.0).or(self.cost);
        let usage = self.usage();
        (usage != self.told).then(|| {
            self.told = usage.clone();
            usage
        })
    }

    /// The input is told without what the cache gave and took; ours is all of it.
    fn usage(&self) -> Usage {
        let cached = [self.written, self.read];
        let add = |sum: u64, more: u64| sum.saturating_add(more);
        Usage {
            input_tokens: self
                .fresh
                .map(|fresh| cached.into_iter().flatten().fold(fresh, add)),
            cached_tokens: self.read,
            cache_write_tokens: self.written,
            output_tokens: self.output,
            thinking_tokens: self.thinking,
            reported_cost_usd: self.cost,
            estimated: false,
        }
    }
}
