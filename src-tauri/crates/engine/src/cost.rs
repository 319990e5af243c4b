//! What an answer costs: what its provider says, or its tokens at the catalogue's price. What nobody
//! knows stays unknown.

use protocol::{Cost, ModelRef, Price, Usage};

use crate::Engine;

/// Tokens that a price is for.
const PER: f64 = 1_000_000.0;

impl Engine {
    /// The price of a model, as far as it is known without asking anyone.
    pub(crate) async fn price(&self, model: &ModelRef) -> Option<Price> {
        let known = self.known_models(&model.provider).await.ok()?;
        known.into_iter().find(|known| known.model == *model)?.price
    }
}

/// The cost of an answer. A model on a machine of the person's own whose price nobody knows costs
/// nothing; any other, nobody knows what.
pub(crate) fn of(usage: &Usage, price: Option<&Price>, is_own: bool) -> Option<Cost> {
    if let Some(usd) = usage.reported_cost_usd.filter(|usd| is_amount(*usd)) {
        return Some(Cost {
            usd,
            estimated: false,
            as_of: None,
        });
    }
    match price {
        Some(price) => at_price(usage, price),
        None => is_own.then(|| of_this_machine(usage)),
    }
}

/// The cost of an answer that a model of this machine gave.
pub(crate) const fn of_this_machine(usage: &Usage) -> Cost {
    Cost {
        usd: 0.0,
        estimated: usage.estimated,
        as_of: None,
    }
}

/// The tokens at a price. Without the number of either kind there is no sum; what was not priced
/// apart costs what fresh input does.
fn at_price(usage: &Usage, price: &Price) -> Option<Cost> {
    let (input, output) = (usage.input_tokens?, usage.output_tokens?);
    let cached = usage.cached_tokens.unwrap_or(0).min(input);
    let written = usage.cache_write_tokens.unwrap_or(0).min(input - cached);
    let fresh = input - cached - written;
    let tokens = |count: u64| count as f64;
    let usd = tokens(fresh) * price.input
        + tokens(cached) * price.cached_input.unwrap_or(price.input)
        + tokens(written) * price.cache_write.unwrap_or(price.input)
        + tokens(output) * price.output;
    is_amount(usd / PER).then(|| Cost {
        usd: usd / PER,
        estimated: usage.estimated,
        as_of: Some(price.as_of.clone()),
    })
}

/// The cost of an answer and of that which it goes on with; of a sum whose half is not known,
/// nothing is.
pub(crate) fn sum(first: Option<Cost>, second: Option<Cost>) -> Option<Cost> {
    let (first, second) = (first?, second?);
    Some(Cost {
        usd: first.usd + second.usd,
        estimated: first.estimated || second.estimated,
        as_of: second.as_of.or(first.as_of),
    })
}

/// Whether a number from elsewhere can be an amount of money.
fn is_amount(usd: f64) -> bool {
    usd.is_finite() && usd >= 0.0
}

#[cfg(test)]
mod tests {
    use protocol::{Cost, Price, Usage};

    use super::{of, sum};

    fn price() -> Price {
        Price {
            input: 4.0,
            cached_input: Some(0.5),
            cache_write: Some(5.0),
            output: 16.0,
            as_of: "2026-11-12".to_owned(),
        }
    }

    fn usage(input: u64, cached: Option<u64>, written: Option<u64>, output: u64) -> Usage {
        Usage {
            input_tokens: Some(input),
            cached_tokens: cached,
            cache_write_tokens: written,
            output_tokens: Some(output),
            ..Usage::default()
        }
    }

    fn usd(usage: &Usage, price: &Price) -> f64 {
        of(usage, Some(price), false).unwrap().usd
    }

    #[test]
    fn each_kind_of_token_has_its_price() {
        let million = 1_000_000;
        assert_eq!(usd(&usage(million, None, None, 0), &price()), 4.0);
        assert_eq!(usd(&usage(0, None, None, million), &price()), 16.0);
        assert_eq!(usd(&usage(million, Some(million), None, 0), &price()), 0.5);
        assert_eq!(usd(&usage(million, None, Some(million), 0), &price()), 5.0);
        let mixed = usage(1_000, Some(400), Some(200), 50);
        // 400 fresh at 4, 400 cached at 0.5, 200 written at 5, 50 out at 16, per million.
        assert_eq!(usd(&mixed, &price()), 0.0036);
    }

    #[test]
    fn what_is_not_priced_apart_costs_what_fresh_input_does() {
        let plain = Price {
            cached_input: None,
            cache_write: None,
            ..price()
        };
        let mixed = usage(1_000_000, Some(500_000), Some(250_000), 0);
        assert_eq!(usd(&mixed, &plain), 4.0);
    }

    #[test]
    fn numbers_that_contradict_each_other_do_not_go_below_nothing() {
        assert_eq!(
            usd(&usage(10, Some(1_000_000), Some(7), 0), &price()),
            0.000_005
        );
    }

    #[test]
    fn what_the_provider_says_goes_before_what_we_compute() {
        let told = Usage {
            reported_cost_usd: Some(0.125),
            ..usage(1, None, None, 1)
        };
        let cost = of(&told, Some(&price()), false).unwrap();
        assert_eq!((cost.usd, cost.as_of), (0.125, None));
        let absurd = Usage {
            reported_cost_usd: Some(f64::NAN),
            ..told
        };
        let cost = of(&absurd, Some(&price()), false).unwrap();
        assert_eq!(cost.as_of.as_deref(), Some("2026-11-12"));
    }

    #[test]
    fn what_nobody_knows_is_not_nothing() {
        let known = usage(10, None, None, 10);
        assert_eq!(of(&known, None, false), None);
        assert_eq!(of(&known, None, true).unwrap().usd, 0.0);
        assert_eq!(of(&Usage::default(), Some(&price()), false), None);
    }

    #[test]
    fn estimates_stay_estimates() {
        let guessed = Usage {
            estimated: true,
            ..usage(1, None, None, 1)
        };
        assert!(of(&guessed, Some(&price()), false).unwrap().estimated);
    }

    #[test]
    fn a_sum_needs_both_halves() {
        let cost = |usd| {
            Some(Cost {
                usd,
                estimated: false,
                as_of: None,
            })
        };
        assert_eq!(sum(cost(0.25), cost(0.5)).unwrap().usd, 0.75);
        assert_eq!(sum(None, cost(0.5)), None);
        assert_eq!(sum(cost(0.5), None), None);
    }
}
