//! What a model is given: the system prompt, and as much of the branch as fits its window, with a
//! summary in front of it where there is one and not all fits.
//!
//! A model keeps what it has read as long as the request begins with the same bytes. So the system
//! prompt never changes from turn to turn, what does change (the date) stands in the messages where
//! it stays as it was, and when old messages must go, several go at once and then none for a while.

use jiff::tz::TimeZone;
use protocol::{Message, Part, Role};
use providers::RequestMessage;

use crate::clock;
use crate::files::Files;

const SYSTEM: &str = "You are Pilotfish, an assistant in a desktop application. Answer in the \
language of the person, correctly and to the point; use Markdown where it helps, and put code into \
fenced blocks. You know what you learned in training and what stands in this conversation, and \
nothing else: you cannot see the screen, files, e-mail or the web, and you know nothing of recent \
events. When you do not know something, say so instead of guessing. A note in square brackets at \
the beginning of a message tells the date; do not repeat it.";

/// Exchanges are dropped in steps of this many, so that the kept ones begin alike for some turns.
const DROP_STEP: usize = 4;

/// Tokens that a message costs besides its text: its role and the template around it.
pub(crate) const MESSAGE_OVERHEAD: u64 = 8;

/// What a request is made for.
#[derive(Clone, Copy)]
pub(crate) struct Room<'a> {
    pub(crate) system: &'a str,
    /// Tokens that the system prompt and the messages may have.
    pub(crate) budget: u64,
    /// Where the person is: days are told as they are there.
    pub(crate) zone: &'a TimeZone,
    /// What stands for the beginning where not all fits.
    pub(crate) summary: Option<StandIn<'a>>,
    /// What the images and files hold.
    pub(crate) files: &'a Files,
}

/// A summary, and how many messages of the branch it stands for.
#[derive(Clone, Copy)]
pub(crate) struct StandIn<'a> {
    pub(crate) covers: usize,
    pub(crate) text: &'a str,
}

/// The conversation as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fitted {
    /// Alternating, the person's first and last.
    pub(crate) messages: Vec<RequestMessage>,
    /// How many stored messages were left out at the beginning, or after what is summed up.
    pub(crate) dropped: u32,
    /// How many stored messages stand before the first that is sent, summed up or not.
    pub(crate) before: u32,
    /// About how many tokens the request has, with the system prompt.
    pub(crate) tokens: u64,
}

/// The system prompt with the person's own instructions after it.
pub(crate) fn system_prompt(instructions: &str) -> String {
    match instructions.trim() {
        "" => SYSTEM.to_owned(),
        own => format!("{SYSTEM}\n\nThe person asks you to heed this always:\n{own}"),
    }
}

/// An estimate of a text's tokens that is rather too high: one for each digit, as most models read
/// numbers, and one for three of the other bytes. English has about four bytes to a token, code and
/// other Latin scripts three, Chinese about three.
pub(crate) fn tokens_in(text: &str) -> u64 {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let tokens = digits + (text.len() - digits).div_ceil(3);
    u64::try_from(tokens).unwrap_or(u64::MAX)
}

/// About how many tokens a message of these parts has.
pub(crate) fn tokens_of(parts: &[Part], files: &Files) -> u64 {
    let words = parts.iter().flat_map(sent).map(tokens_in);
    let shown = parts.iter().map(|part| files.tokens_of(part));
    words.chain(shown).sum::<u64>() + MESSAGE_OVERHEAD
}

/// How many tokens a request may have: the window without room for an answer; no limit when the
/// window is not known.
pub(crate) fn budget(window: Option<u32>) -> u64 {
    window.map_or(u64::MAX, |window| {
        let window = u64::from(window);
        window - (window / 4).min(4096)
    })
}

/// The newest messages that are within the budget together with the system prompt and the summary;
/// the newest one even when it is not.
pub(crate) fn fit(branch: &[Message], room: &Room<'_>) -> Fitted {
    let mut turns = alternate(branch);
    let fixed = tokens_in(room.system) + MESSAGE_OVERHEAD;
    let costs: Vec<u64> = turns
        .iter()
        .map(|turn| tokens_of(&turn.parts, room.files))
        .collect();
    let whole = fixed + costs.iter().sum::<u64>();
    let (from, note) = match whole > room.budget {
        true => stand_in(&turns, room.summary),
        false => (0, String::new()),
    };
    let costs = costs.get(from..).unwrap_or_default();
    let total = fixed + tokens_in(&note) + costs.iter().sum::<u64>();
    let cut = match total > room.budget {
        true => turns_to_drop(
            turns.get(from..).unwrap_or_default(),
            costs,
            total - room.budget,
        ),
        false => 0,
    };
    let kept = turns.split_off(from + cut);
    let stored = |turns: &[Speech]| turns.iter().map(|turn| turn.stored).sum::<u32>();
    let tokens = total - costs.iter().take(cut).sum::<u64>();
    let mut messages = dated(kept, room.zone);
    if let Some(first) = messages.first_mut().filter(|_| !note.is_empty()) {
        open_with(&mut first.parts, &note);
    }
    Fitted {
        messages,
        dropped: stored(turns.get(from..).unwrap_or_default()),
        before: stored(&turns),
        tokens,
    }
}

/// Where the messages begin that a summary does not stand for, and what is said in the place of the
/// others. A summary that ends anywhere but before a word of the person is of no use.
fn stand_in(turns: &[Speech], summary: Option<StandIn<'_>>) -> (usize, String) {
    let nothing = (0, String::new());
    let Some(StandIn { covers, text }) = summary else {
        return nothing;
    };
    let mut stood_for = 0;
    let place = turns.iter().position(|turn| {
        let begins_after = usize::try_from(stood_for).is_ok_and(|count| count == covers);
        stood_for += turn.stored;
        begins_after && turn.role == Role::User
    });
    match place {
        Some(place @ 1..) => (
            place,
            format!("[What was said before, summed up:\n{text}\n]\n\n"),
        ),
        _ => nothing,
    }
}

impl Fitted {
    /// The budget to try when a server found this too long; `None` when there is nothing to drop.
    pub(crate) fn shorter(&self) -> Option<u64> {
        (self.messages.len() > 2).then_some(self.tokens / 3 * 2)
    }
}

/// How many of the oldest turns must go to save that many tokens: whole pairs, and none whose tool
/// results stay; the last message always stays.
fn turns_to_drop(turns: &[Speech], costs: &[u64], excess: u64) -> usize {
    let pairs = costs.len().saturating_sub(1) / 2;
    let mut saved = 0;
    let needed = costs
        .chunks_exact(2)
        .take(pairs)
        .take_while(|pair| {
            let more = saved < excess;
            saved += pair.iter().sum::<u64>();
            more
        })
        .count();
    let stepped = needed.next_multiple_of(DROP_STEP);
    let wanted = if stepped < pairs { stepped } else { needed };
    let may_begin = |pair: &usize| {
        let first = turns.get(pair * 2);
        first.is_none_or(|turn| !turn.parts.iter().any(is_result))
    };
    let later = (wanted..=pairs).find(may_begin);
    let place = later.or_else(|| (0..wanted).rev().find(may_begin));
    place.unwrap_or(0) * 2
}

fn is_result(part: &Part) -> bool {
    matches!(part, Part::ToolResult { .. })
}

/// One speaker's words until the other speaks.
struct Speech {
    role: Role,
    parts: Vec<Part>,
    at: i64,
    /// How many stored messages it is made of.
    stored: u32,
}

/// What a model reads again of a part. Thinking goes back only where a provider signed it.
fn sent(part: &Part) -> [&str; 2] {
    match part {
        Part::Text { text, .. }
        | Part::Thinking {
            text,
            blob: Some(_),
            ..
        } => [text, ""],
        Part::ToolCall {
            name, arguments, ..
        } => [name, arguments],
        Part::ToolResult { content, .. } => [content, ""],
        Part::Thinking { blob: None, .. } | Part::Image { .. } | Part::File { .. } => ["", ""],
    }
}

/// Makes the branch alternate, as many chat templates demand: a message of which nothing came or is
/// left is left out, and what one said before and after it becomes one message.
fn alternate(branch: &[Message]) -> Vec<Speech> {
    let mut turns: Vec<Speech> = Vec::new();
    let mut skipped = 0;
    for message in branch {
        let says = message.parts.iter().any(|part| {
            let shows = matches!(part, Part::Image { .. } | Part::File { .. });
            shows || sent(part).iter().any(|words| !words.is_empty())
        });
        let first_is_answer = turns.is_empty() && message.role == Role::Assistant;
        if first_is_answer || !says {
            skipped += 1;
            continue;
        }
        match turns.last_mut().filter(|last| last.role == message.role) {
            Some(last) => {
                join(&mut last.parts, &message.parts);
                last.stored += 1 + skipped;
            }
            None => turns.push(Speech {
                role: message.role,
                parts: message.parts.clone(),
                at: message.created_at,
                stored: 1 + skipped,
            }),
        }
        skipped = 0;
    }
    for turn in &mut turns {
        // Where a call was made, wires want its results before all else.
        turn.parts.sort_by_key(|part| !is_result(part));
    }
    turns
}

/// Adds parts to a message, texts joined by a blank line: some servers take no more than one text.
fn join(parts: &mut Vec<Part>, more: &[Part]) {
    for part in more {
        match (parts.last_mut(), part) {
            (
                Some(Part::Text { text, blob: None }),
                Part::Text {
                    text: next,
                    blob: None,
                },
            ) => {
                text.push_str("\n\n");
                text.push_str(next);
            }
            _ => parts.push(part.clone()),
        }
    }
}

/// Writes the date before the first message of the person, and before each that begins another day:
/// before what the person wrote, and not where a tool speaks.
fn dated(turns: Vec<Speech>, zone: &TimeZone) -> Vec<RequestMessage> {
    let mut last_day = None;
    let mut messages = Vec::with_capacity(turns.len());
    for Speech {
        role,
        mut parts,
        at,
        ..
    } in turns
    {
        let day = clock::day(at, zone);
        let is_own = role == Role::User && !parts.iter().any(is_result);
        if is_own && last_day.replace(day) != Some(day) {
            let note = format!("[Today is {}.]\n\n", clock::in_words(day));
            open_with(&mut parts, &note);
        }
        messages.push(RequestMessage { role, parts });
    }
    messages
}

/// Puts a note before everything else in a message.
fn open_with(parts: &mut Vec<Part>, note: &str) {
    match parts.first_mut() {
        Some(Part::Text { text, .. }) => text.insert_str(0, note),
        _ => parts.insert(0, Part::text(note.trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use protocol::{ConversationId, Message, MessageId, MessageState, Part, Role};
    use providers::RequestMessage;

    use super::{Fitted, Room, StandIn, budget, fit, system_prompt, tokens_in};
    use crate::files::Files;

    const DAY: i64 = 86_400_000;

    fn message(role: Role, text: &str, at: i64) -> Message {
        Message {
            id: MessageId::generate(),
            conversation_id: ConversationId::generate(),
            parent_id: None,
            role,
            state: MessageState::Complete,
            parts: if text.is_empty() {
                vec![]
            } else {
                vec![Part::text(text)]
            },
            model: None,
            served_by: None,
            usage: None,
            cost: None,
            stop_reason: None,
            error: None,
            attempts: Vec::new(),
            created_at: at,
            first_token_at: None,
            finished_at: None,
        }
    }

    fn exchanges(count: usize, bytes: usize) -> Vec<Message> {
        let text = |n: usize, who: &str| format!("{who}{n} {}", "x".repeat(bytes));
        let mut branch: Vec<Message> = (0..count)
            .flat_map(|n| {
                let question = message(Role::User, &text(n, "q"), 0);
                [question, message(Role::Assistant, &text(n, "a"), 1)]
            })
            .collect();
        branch.push(message(Role::User, "the newest", 2));
        branch
    }

    fn texts(messages: &[RequestMessage]) -> Vec<String> {
        let text = |message: &RequestMessage| match message.parts.first() {
            Some(Part::Text { text, .. }) => text.clone(),
            other => panic!("a text was expected, not {other:?}"),
        };
        messages.iter().map(text).collect()
    }

    fn fitted(branch: &[Message], window: Option<u32>) -> Fitted {
        within(branch, budget(window), None)
    }

    fn within(branch: &[Message], budget: u64, summary: Option<StandIn<'_>>) -> Fitted {
        let room = Room {
            system: &system_prompt(""),
            budget,
            zone: &TimeZone::UTC,
            summary,
            files: &Files::default(),
        };
        fit(branch, &room)
    }

    #[test]
    fn everything_is_sent_while_it_fits() {
        let all = fitted(&exchanges(3, 10), Some(4096));
        assert_eq!((all.messages.len(), all.dropped), (7, 0));
        assert_eq!(
            fitted(&exchanges(3, 1_000_000), None).dropped,
            0,
            "an unknown window"
        );
    }

    #[test]
    fn the_oldest_pairs_go_first_and_the_newest_message_stays() {
        let long = fitted(&exchanges(40, 300), Some(4096));
        assert!(
            long.dropped > 0 && long.dropped.is_multiple_of(2),
            "whole pairs"
        );
        assert!(
            long.tokens <= 3072,
            "{} tokens leave a quarter for the answer",
            long.tokens
        );
        assert_eq!(long.messages.first().map(|m| m.role), Some(Role::User));
        assert_eq!(
            texts(&long.messages).last().map(String::as_str),
            Some("the newest")
        );

        let tight = fitted(&exchanges(3, 30_000), Some(512));
        assert_eq!(
            (tight.messages.len(), tight.dropped),
            (1, 6),
            "even when it does not fit"
        );
    }

    #[test]
    fn digits_are_tokens_of_their_own() {
        assert_eq!(tokens_in("six six"), 3);
        assert_eq!(tokens_in("3.14159"), 7);
        assert_eq!(tokens_in(&"0123456789".repeat(100)), 1000);
    }

    #[test]
    fn what_a_server_finds_too_long_becomes_shorter_until_one_message_is_left() {
        let branch = exchanges(12, 300);
        let mut last = fitted(&branch, None);
        while let Some(less) = last.shorter() {
            let next = within(&branch, less, None);
            assert!(next.dropped > last.dropped, "{} dropped", next.dropped);
            last = next;
        }
        assert_eq!((last.messages.len(), last.dropped), (1, 24));
    }

    #[test]
    fn a_long_conversation_begins_alike_for_some_turns() {
        let begins: Vec<String> = (40..48)
            .map(|count| texts(&fitted(&exchanges(count, 300), Some(4096)).messages).remove(0))
            .collect();
        let mut distinct = begins.clone();
        distinct.dedup();
        assert!(
            distinct.len() <= 3,
            "8 turns begin in at most 3 ways, not {}",
            distinct.len()
        );
    }

    #[test]
    fn the_prefix_of_a_turn_is_that_of_the_next() {
        let mut branch = vec![
            message(Role::User, "one", 0),
            message(Role::Assistant, "1", 1),
        ];
        branch.push(message(Role::User, "two", DAY));
        let first = fitted(&branch, Some(4096)).messages;
        branch.push(message(Role::Assistant, "2", DAY));
        branch.push(message(Role::User, "three", DAY + 5));
        let second = fitted(&branch, Some(4096)).messages;
        assert_eq!(second[..3], first[..]);
        let texts = texts(&second);
        assert_eq!(texts[0], "[Today is Thursday, 1 January 1970.]\n\none");
        assert_eq!(texts[2], "[Today is Friday, 2 January 1970.]\n\ntwo");
        assert_eq!(texts[4], "three", "the same day is told once");
    }

    #[test]
    fn an_answer_that_never_came_leaves_no_gap() {
        let branch = [
            message(Role::User, "one", 0),
            message(Role::Assistant, "", 0),
            message(Role::User, "two", 0),
        ];
        let sent = fitted(&branch, None).messages;
        assert_eq!(
            texts(&sent),
            ["[Today is Thursday, 1 January 1970.]\n\none\n\ntwo"]
        );
    }

    #[test]
    fn a_summary_stands_for_what_does_not_fit_and_only_then() {
        let branch = exchanges(40, 300);
        let summary = StandIn {
            covers: 76,
            text: "They spoke of x.",
        };
        let short = within(&branch, 3072, Some(summary));
        assert_eq!((short.dropped, short.before), (0, 76));
        assert_eq!(short.messages.len(), 5);
        let first = texts(&short.messages).remove(0);
        assert!(
            first.starts_with("[What was said before, summed up:\nThey spoke of x.\n]\n\n[Today"),
            "{first}"
        );
        assert!(first.contains("q38 "), "{first}");

        let whole = within(&branch, u64::MAX, Some(summary));
        assert_eq!((whole.messages.len(), whole.before), (81, 0));

        let tight = within(&branch, 400, Some(summary));
        assert_eq!(
            (tight.messages.len(), tight.before),
            (1, 80),
            "and it stays"
        );
        assert!(texts(&tight.messages)[0].contains("They spoke of x."));

        let torn = StandIn {
            covers: 75,
            ..summary
        };
        assert_eq!(
            within(&branch, 3072, Some(torn)),
            within(&branch, 3072, None),
            "a summary that ends between a question and its answer"
        );
    }

    #[test]
    fn a_call_is_not_parted_from_its_result() {
        let mut branch = exchanges(12, 300);
        let call = |id: &str| Part::ToolCall {
            id: id.to_owned(),
            name: "look".to_owned(),
            arguments: "{}".to_owned(),
            blob: None,
        };
        let result = |id: &str| Part::ToolResult {
            call_id: id.to_owned(),
            content: "y".repeat(300),
            is_error: false,
        };
        for place in (1..24).step_by(2).take(9) {
            branch[place].parts = vec![call(&place.to_string())];
            branch[place + 1].parts = vec![result(&place.to_string())];
        }
        for budget in (200..4000).step_by(50) {
            let sent = within(&branch, budget, None).messages;
            let begins_with_result = matches!(sent[0].parts[0], Part::ToolResult { .. });
            assert!(!begins_with_result, "{budget}");
        }
    }

    #[test]
    fn own_instructions_follow_the_house_s() {
        let own = system_prompt(" Call me Ada. ");
        assert!(own.starts_with(&system_prompt("  ")) && own.ends_with("\nCall me Ada."));
        assert!(own.contains("You are Pilotfish"));
    }
}
