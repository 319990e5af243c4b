//! How Anthropic's models are asked to think, which changed with almost every generation, and what
//! goes with it: how long an answer may be, and whether a tool can be forced. A model is known by
//! its name, wherever it is served; one with a newer name is taken for the newest.
//!
//! Sources: Anthropic's pages on thinking, effort and preserved thinking, and the model facts of
//! models.dev and LiteLLM of autumn 2026.

use protocol::Effort;
use serde::Serialize;

use crate::{Request, ToolChoice};

/// The longest answer that is asked for where none was said: the wire wants a number. Thinking
/// counts towards it.
const ANSWER_TOKENS: u32 = 64_000;
/// The same of older models, of which some make no longer answers.
const OLDER_ANSWER_TOKENS: u32 = 32_000;
/// The same of others' models, whose windows may be small.
const OTHER_ANSWER_TOKENS: u32 = 8_192;

/// The least that may be thought where it is counted in tokens, and what is left for the answer.
const LEAST_TOKENS: u32 = 1_024;

/// The `thinking` of a request.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Thinking {
    /// As much as the model sees fit.
    Adaptive {
        /// `summarized`: some models show nothing unless they are told to.
        display: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        block_binding: Option<Binding>,
    },
    /// Up to so many tokens.
    Enabled { budget_tokens: u32 },
    /// Not at all.
    Disabled,
    /// Only after a tool has answered: the least that some models can.
    BetweenTools,
}

/// What becomes of thinking that is sent back in a conversation that has changed before it.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Binding {
    prefix_mismatch_behavior: &'static str,
}

/// What of a request depends on the model.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) max_tokens: u32,
    pub(super) thinking: Option<Thinking>,
    /// The `effort` of `output_config`.
    pub(super) effort: Option<&'static str>,
    /// Whether a tool can be forced.
    pub(super) forces: bool,
}

impl Plan {
    /// The plan of a request. A tool that must be called goes before thinking, where a model cannot
    /// do both.
    pub(super) fn of(request: &Request, drops_unbound: bool) -> Self {
        let forced = !request.tools.is_empty()
            && matches!(
                request.tool_choice,
                ToolChoice::Required | ToolChoice::Named(_)
            );
        match Claude::named(&request.model) {
            Some(claude) if claude.adapts() => claude.plan(request, forced, drops_unbound),
            Some(claude) => Self::budgeted(request, forced, Some(&claude)),
            None => Self::budgeted(request, forced, None),
        }
    }

    /// Whether thinking of earlier answers is of use.
    pub(super) fn thinks(&self) -> bool {
        self.thinking != Some(Thinking::Disabled)
    }

    /// The plan of a model that counts its thinking in tokens: an older one, or another's.
    fn budgeted(request: &Request, forced: bool, claude: Option<&Claude<'_>>) -> Self {
        let usual = claude.map_or(OTHER_ANSWER_TOKENS, |_| OLDER_ANSWER_TOKENS);
        let max_tokens = request.max_tokens.unwrap_or(usual);
        let budget = request.effort.filter(|_| !forced).map(budget);
        let room = max_tokens.saturating_sub(LEAST_TOKENS);
        let thinking = match budget {
            Some(budget) if budget > 0 && room >= LEAST_TOKENS => Some(Thinking::Enabled {
                budget_tokens: budget.min(room),
            }),
            // Where nothing was asked for, it is left to the model.
            None if request.effort.is_none() => None,
            _ => Some(Thinking::Disabled),
        };
        let effort = request.effort.and_then(word);
        let effort = match (claude, effort) {
            (None, effort) => effort,
            (Some(claude), Some("xhigh" | "max")) if claude.weighs() => Some("high"),
            (Some(claude), effort) => effort.filter(|_| claude.weighs()),
        };
        Self {
            max_tokens,
            thinking,
            effort,
            forces: true,
        }
    }
}

/// How far a model can be kept from thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    Whole,
    BetweenTools,
    Never,
}

/// One of Anthropic's models.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claude<'a> {
    family: &'a str,
    version: (u32, u32),
}

impl<'a> Claude<'a> {
    /// The model of this name: `claude-opus-4-5-20251101`, `claude-3-7-sonnet-latest`,
    /// `anthropic/claude-sonnet-4.6`; `None` when it is another's.
    pub(super) fn named(model: &'a str) -> Option<Self> {
        let (_, name) = model.split_once("claude-")?;
        let mut family = "";
        let mut numbers = Vec::new();
        for word in name.split(['-', '.', '@', ':', '/']) {
            match word.parse() {
                // Longer numbers are dates.
                Ok(number) if word.len() <= 2 => numbers.push(number),
                Ok(_) => break,
                Err(_) if family.is_empty() => family = word,
                Err(_) => break,
            }
        }
        let newest = (u32::MAX, 0);
        let version = match numbers.as_slice() {
            [] => newest,
            [major] => (*major, 0),
            [major, minor, ..] => (*major, *minor),
        };
        Some(Self { family, version })
    }

    /// Whether it decides by itself how much to think.
    fn adapts(&self) -> bool {
        self.version >= (4, 6)
    }

    /// Whether it takes an effort.
    fn weighs(&self) -> bool {
        self.adapts() || (self.family == "opus" && self.version >= (4, 5))
    }

    fn rest(&self) -> Rest {
        match self.family {
            "haiku" => Rest::Whole,
            "opus" | "sonnet" if self.version < (5, 5) => Rest::Whole,
            "sonnet" => Rest::BetweenTools,
            _ => Rest::Never,
        }
    }

    /// Whether it thinks when nothing is said of it.
    fn thinks_unasked(&self) -> bool {
        self.rest() != Rest::Whole || (self.family == "opus" && self.version >= (5, 0))
    }

    /// Whether it reads its thinking again only in the conversation that it thought it in.
    fn binds(&self) -> bool {
        self.version >= (5, 1) || (self.family == "opus" && self.version >= (5, 0))
    }

    fn plan(&self, request: &Request, forced: bool, drops_unbound: bool) -> Plan {
        let rest = self.rest();
        let adaptive = || Thinking::Adaptive {
            display: "summarized",
            block_binding: (drops_unbound && self.binds()).then_some(Binding {
                prefix_mismatch_behavior: "drop_block",
            }),
        };
        let effort = request.effort.and_then(word);
        let (thinking, effort) = match (request.effort, rest) {
            (_, Rest::Whole) if forced => (Some(Thinking::Disabled), effort),
            (Some(Effort::None), Rest::Whole) => (Some(Thinking::Disabled), None),
            (Some(Effort::None), Rest::BetweenTools) => (Some(Thinking::BetweenTools), None),
            (Some(Effort::None), Rest::Never) => (Some(adaptive()), Some("low")),
            (Some(_), _) => (Some(adaptive()), effort),
            (None, _) => (self.thinks_unasked().then(adaptive), None),
        };
        Plan {
            max_tokens: request.max_tokens.unwrap_or(ANSWER_TOKENS),
            thinking,
            effort: match effort {
                Some("xhigh") if self.version < (4, 7) => Some("high"),
                effort => effort,
            },
            forces: rest == Rest::Whole,
        }
    }
}

/// An effort as the wire names it.
const fn word(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::None => None,
        Effort::Minimal | Effort::Low => Some("low"),
        Effort::Medium => Some("medium"),
        Effort::High => Some("high"),
        Effort::Xhigh => Some("xhigh"),
        Effort::Max => Some("max"),
    }
}

/// An effort in tokens, for models that count them.
const fn budget(effort: Effort) -> u32 {
    match effort {
        Effort::None => 0,
        Effort::Minimal => 1_024,
        Effort::Low => 4_096,
        Effort::Medium => 10_000,
        Effort::High => 16_000,
        Effort::Xhigh => 24_000,
        Effort::Max => 31_000,
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use protocol::Effort;
    use serde_json::{Value, json};

    use super::{Claude, Plan};
    use crate::{Request, Tool, ToolChoice};

    fn plan(model: &str, effort: Option<Effort>, forced: bool) -> (Value, Value, bool) {
        let tool = Tool {
            name: "f".into(),
            description: String::new(),
            schema: json!({ "type": "object" }),
        };
        let request = Request {
            model: model.into(),
            effort,
            tools: if forced { vec![tool] } else { Vec::new() },
            tool_choice: if forced {
                ToolChoice::Required
            } else {
                ToolChoice::Auto
            },
            ..Request::default()
        };
        let plan = Plan::of(&request, false);
        (json!(plan.thinking), json!(plan.effort), plan.forces)
    }

    #[test]
    fn models_are_known_by_their_names() {
        let newest = u32::MAX;
        for (name, family, version) in [
            ("claude-opus-4-5-20251101", "opus", (4, 5)),
            ("claude-sonnet-4-20250514", "sonnet", (4, 0)),
            ("claude-3-7-sonnet-latest", "sonnet", (3, 7)),
            ("claude-3-haiku-20240307", "haiku", (3, 0)),
            ("anthropic/claude-sonnet-4.6", "sonnet", (4, 6)),
            ("us.anthropic.claude-opus-4-6-v1:0", "opus", (4, 6)),
            ("claude-opus-4-6@20260205", "opus", (4, 6)),
            ("claude-fable-5", "fable", (5, 0)),
            ("claude-fable-5-1", "fable", (5, 1)),
            ("claude-mythos-preview", "mythos", (newest, 0)),
        ] {
            assert_eq!(
                Claude::named(name),
                Some(Claude { family, version }),
                "{name}"
            );
        }
        for name in ["deepseek-v4-pro", "claude", "llama-4", ""] {
            assert_eq!(Claude::named(name), None, "{name}");
        }
    }

    #[test]
    fn each_generation_is_asked_in_its_own_way() {
        let adaptive = json!({ "type": "adaptive", "display": "summarized" });
        let disabled = json!({ "type": "disabled" });
        let between = json!({ "type": "between_tools" });
        let budget = |tokens: u32| json!({ "type": "enabled", "budget_tokens": tokens });
        let null = Value::Null;
        for (model, effort, thinking, word) in [
            ("claude-haiku-4-5", None, &null, None),
            ("claude-haiku-4-5", Some(Effort::None), &disabled, None),
            (
                "claude-haiku-4-5",
                Some(Effort::High),
                &budget(16_000),
                None,
            ),
            (
                "claude-opus-4-5",
                Some(Effort::Medium),
                &budget(10_000),
                Some("medium"),
            ),
            (
                "claude-opus-4-5",
                Some(Effort::Max),
                &budget(30_976),
                Some("high"),
            ),
            ("claude-opus-4-6", None, &null, None),
            ("claude-opus-4-6", Some(Effort::None), &disabled, None),
            (
                "claude-opus-4-6",
                Some(Effort::Minimal),
                &adaptive,
                Some("low"),
            ),
            (
                "claude-opus-4-6",
                Some(Effort::Xhigh),
                &adaptive,
                Some("high"),
            ),
            (
                "claude-opus-4-8",
                Some(Effort::Xhigh),
                &adaptive,
                Some("xhigh"),
            ),
            ("claude-opus-5", None, &adaptive, None),
            ("claude-opus-5", Some(Effort::None), &disabled, None),
            ("claude-opus-5-5", None, &adaptive, None),
            (
                "claude-opus-5-5",
                Some(Effort::None),
                &adaptive,
                Some("low"),
            ),
            ("claude-sonnet-5-5", Some(Effort::None), &between, None),
            ("claude-haiku-5-5", None, &null, None),
            ("claude-haiku-5-5", Some(Effort::None), &disabled, None),
            ("claude-fable-5", Some(Effort::None), &adaptive, Some("low")),
            (
                "claude-mythos-preview",
                Some(Effort::Max),
                &adaptive,
                Some("max"),
            ),
            ("some-model", None, &null, None),
            ("some-model", Some(Effort::None), &disabled, None),
            ("some-model", Some(Effort::Low), &budget(4_096), Some("low")),
            ("some-model", Some(Effort::Max), &budget(7_168), Some("max")),
        ] {
            let expected = (thinking.clone(), json!(word), plan(model, effort, false).2);
            assert_eq!(plan(model, effort, false), expected, "{model} {effort:?}");
        }
    }

    #[test]
    fn a_forced_tool_goes_before_thinking_where_both_do_not_go() {
        for (model, effort, thinking, forces) in [
            ("claude-haiku-4-5", None, Value::Null, true),
            (
                "claude-haiku-4-5",
                Some(Effort::High),
                json!({ "type": "disabled" }),
                true,
            ),
            ("claude-opus-5", None, json!({ "type": "disabled" }), true),
            (
                "some-model",
                Some(Effort::High),
                json!({ "type": "disabled" }),
                true,
            ),
            ("some-model", None, Value::Null, true),
        ] {
            let (found, _, may_force) = plan(model, effort, true);
            assert_eq!((found, may_force), (thinking, forces), "{model} {effort:?}");
        }
        for model in ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"] {
            let (thinking, _, forces) = plan(model, Some(Effort::High), true);
            assert_eq!(
                (&thinking["type"], forces),
                (&json!("adaptive"), false),
                "{model}"
            );
        }
    }

    #[test]
    fn thinking_leaves_room_for_the_answer() {
        let limited = |max_tokens| {
            let request = Request {
                model: "claude-haiku-4-5".into(),
                effort: Some(Effort::High),
                max_tokens: Some(max_tokens),
                ..Request::default()
            };
            json!(Plan::of(&request, false).thinking)
        };
        assert_eq!(limited(1), json!({ "type": "disabled" }));
        assert_eq!(limited(2_047), json!({ "type": "disabled" }));
        assert_eq!(limited(2_048)["budget_tokens"], 1_024);
        assert_eq!(limited(100_000)["budget_tokens"], 16_000);
    }

    #[test]
    fn thinking_that_no_longer_fits_is_dropped_where_the_model_would_refuse_it() {
        let binding = |model: &str| {
            let request = Request {
                model: model.into(),
                effort: Some(Effort::High),
                ..Request::default()
            };
            json!(Plan::of(&request, true).thinking)["block_binding"].clone()
        };
        let drop_block = json!({ "prefix_mismatch_behavior": "drop_block" });
        for model in ["claude-opus-5", "claude-fable-5-1", "claude-haiku-5-5"] {
            assert_eq!(binding(model), drop_block, "{model}");
        }
        for model in ["claude-opus-4-8", "claude-fable-5", "claude-haiku-4-5", "x"] {
            assert_eq!(binding(model), Value::Null, "{model}");
        }
    }
}
