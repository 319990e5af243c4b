//! What stands for the beginning of a conversation that does not fit a model: the in-house model sums
//! it up, once, piece by piece as its own window allows. The summary is kept beside the messages,
//! which stay as they are, and later turns find it.

use futures::StreamExt;
use inhouse::DEFAULT;
use protocol::{AppError, CallOutcome, ErrorCode, Message, ModelRef, Part, Purpose, Role};
use providers::{ProviderEvent, Request, RequestMessage};
use store::{MAX_SUMMARY_BYTES, Summary};

use crate::context::{self, Room, StandIn};
use crate::egress::Errand;
use crate::route::Route;
use crate::turn::Job;
use crate::turns::Turn;
use crate::{Engine, clock};

const SYSTEM: &str = "You sum up conversations for a reader who was not there and has to go on with \
them. Keep names, numbers, decisions, open questions and what the person wants; leave out greetings \
and repetitions. Write in the language of the conversation, at most 400 words, and nothing but the \
summary.";

/// The longest summary, in tokens: 400 words in most languages and some room.
pub(crate) const SUMMARY_TOKENS: u32 = 1024;

/// The room of a model whose window is not known, in tokens.
const SMALLEST_WINDOW: u32 = 4096;

/// The summary of a branch that stands for most of it and is still true of it: none of what it
/// stands for has changed since.
pub(crate) fn newest<'a>(summaries: &'a [Summary], branch: &[Message]) -> Option<StandIn<'a>> {
    let whole = branch
        .iter()
        .scan(i64::MIN, |newest, message| {
            *newest = message.finished_at.map_or(i64::MAX, |at| at.max(*newest));
            Some((message.id, *newest))
        })
        .collect::<Vec<_>>();
    whole
        .iter()
        .enumerate()
        .rev()
        .find_map(|(place, (id, changed_at))| {
            let of_it =
                |summary: &&Summary| summary.message == *id && summary.made_at >= *changed_at;
            summaries.iter().find(of_it).map(|summary| StandIn {
                covers: place + 1,
                text: &summary.text,
            })
        })
}

/// How many messages of a branch are to be summed up for it to have room: half of the room is left
/// free, so that the next turns need no further summary.
pub(crate) fn reach(branch: &[Message], room: &Room<'_>) -> usize {
    let half = (room.budget / 2).saturating_sub(u64::from(SUMMARY_TOKENS));
    let room = Room {
        budget: half,
        summary: None,
        ..*room
    };
    usize::try_from(context::fit(branch, &room).before).unwrap_or(usize::MAX)
}

/// Has the in-house model sum up the first `covers` messages of a branch, on from the summary that
/// there is, and keeps what it writes.
///
/// # Errors
/// Why it could not, in a sentence that says what to do instead; the store's.
pub(crate) async fn make(
    engine: &Engine,
    turn: &Turn,
    job: &Job,
    branch: &[Message],
    covers: usize,
    known: Option<StandIn<'_>>,
) -> Result<Summary, AppError> {
    let known = known.filter(|known| known.covers < covers);
    let (begun, mut text) = known.map_or((0, String::new()), |known| {
        (known.covers, known.text.to_owned())
    });
    let old = branch.get(begun..covers).unwrap_or_default();
    let last = old.last().ok_or_else(nothing_to_sum_up)?.id;
    let route = engine.route(&ModelRef::inhouse(DEFAULT)).await?;
    let total = count(old.len());
    let mut done = 0;
    turn.draft.set_summarising(done, total);
    for piece in pieces(old, piece_tokens(engine.window(&route.model).await)) {
        let summed_up = ask(engine, turn, &route, &text, &piece.text).await;
        text = summed_up.map_err(instead)?;
        done += piece.messages;
        turn.draft.set_summarising(done, total);
    }
    let summary = Summary {
        message: last,
        text,
        made_at: clock::now_ms(),
    };
    job.store.keep_summary(&summary, &route.model).await?;
    Ok(summary)
}

/// As much of a conversation as is read at once.
struct Piece {
    text: String,
    /// How many messages end in it.
    messages: u32,
}

/// The words of the messages, cut where one piece would hold more than that many tokens.
fn pieces(messages: &[Message], tokens: u64) -> Vec<Piece> {
    let mut pieces = vec![Piece {
        text: String::new(),
        messages: 0,
    }];
    let mut used = 0;
    for message in messages {
        let who = match message.role {
            Role::User => "The person",
            Role::Assistant => "The assistant",
        };
        let words = format!("{who}:\n{}\n\n", words_of(message));
        for part in split(&words, tokens) {
            let more = context::tokens_in(part);
            if used > 0 && used + more > tokens {
                used = 0;
                pieces.push(Piece {
                    text: String::new(),
                    messages: 0,
                });
            }
            used += more;
            if let Some(last) = pieces.last_mut() {
                last.text.push_str(part);
            }
        }
        if let Some(last) = pieces.last_mut() {
            last.messages += 1;
        }
    }
    pieces
}

/// A text in parts of at most that many tokens: their estimate is one for a byte at most.
fn split(text: &str, tokens: u64) -> Vec<&str> {
    let most = usize::try_from(tokens).unwrap_or(usize::MAX).max(4);
    let mut parts = Vec::new();
    let mut rest = text;
    while context::tokens_in(rest) > tokens {
        let (part, after) = rest.split_at(rest.floor_char_boundary(most));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

/// What was said in a message, without the chain of thought.
fn words_of(message: &Message) -> String {
    let words = message.parts.iter().filter_map(|part| match part {
        Part::Text { text, .. } => Some(text.clone()),
        Part::ToolCall {
            name, arguments, ..
        } => Some(format!("[The tool {name} was called with {arguments}]")),
        Part::ToolResult { content, .. } => Some(format!("[The tool answered: {content}]")),
        Part::Image { .. } => Some("[An image]".to_owned()),
        Part::File { name, .. } => Some(format!("[The file {name:?}]")),
        Part::Thinking { .. } => None,
    });
    words.collect::<Vec<_>>().join("\n\n")
}

/// Tokens of the conversation that go into one request, with the summary so far and the next.
fn piece_tokens(window: Option<u32>) -> u64 {
    let window = u64::from(window.unwrap_or(SMALLEST_WINDOW).max(SMALLEST_WINDOW));
    window - 3 * u64::from(SUMMARY_TOKENS)
}

/// The summary of what a summary stands for and of what was said then.
async fn ask(
    engine: &Engine,
    turn: &Turn,
    route: &Route,
    before: &str,
    said: &str,
) -> Result<String, AppError> {
    let started = turn.draft.started();
    let errand = Errand::asking(
        Purpose::Summary,
        route.model.clone(),
        started.conversation_id,
        Some(started.message_id),
    );
    let key = engine.key_of(route).await?;
    let _place = route.place().await;
    let permit = engine.permit(route.endpoint.as_ref(), errand).await?;
    let mut stream = permit.stream(request(route, before, said), key, turn.cancel.clone());
    let mut text = String::new();
    let mut usage = None;
    let ended = loop {
        match stream.next().await {
            Some(Ok(ProviderEvent::Text(more))) => text.push_str(&more),
            Some(Ok(ProviderEvent::Usage(counted))) => usage = Some(counted),
            Some(Ok(ProviderEvent::Finished { .. })) => break Ok(()),
            Some(Ok(_)) => {}
            Some(Err(error)) => break Err(AppError::from(error)),
            None => break Err(cut_off()),
        }
        if text.len() > MAX_SUMMARY_BYTES {
            break Err(cut_off());
        }
    };
    drop(stream);
    permit.end(CallOutcome::of(&ended), usage).await;
    ended?;
    match text.trim() {
        "" => Err(cut_off()),
        text => Ok(text.to_owned()),
    }
}

fn request(route: &Route, before: &str, said: &str) -> Request {
    let before = match before {
        "" => String::new(),
        before => {
            format!("The conversation began like this, summed up:\n{before}\n\nIt went on:\n\n")
        }
    };
    let text = format!("{before}{said}Sum up all of the conversation until here.");
    Request {
        model: route.model.model.clone(),
        system: SYSTEM.to_owned(),
        messages: vec![RequestMessage {
            role: Role::User,
            parts: vec![Part::text(text)],
        }],
        max_tokens: Some(SUMMARY_TOKENS),
        temperature: Some(0.0),
        ..Request::default()
    }
}

fn cut_off() -> AppError {
    AppError::new(
        ErrorCode::Interrupted,
        "the in-house model wrote no whole summary",
    )
}

fn nothing_to_sum_up() -> AppError {
    AppError::new(
        ErrorCode::ContextOverflow,
        "nothing can be summed up: shorten the message, or choose a model with a larger window",
    )
}

/// Why there is no summary, and the other ways.
fn instead(error: AppError) -> AppError {
    AppError {
        message: format!(
            "the beginning could not be summed up: {}; send it without the oldest messages, or \
             choose a model with a larger window",
            error.message
        ),
        ..error
    }
}

fn count(messages: usize) -> u32 {
    u32::try_from(messages).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;

    use super::split;
    use crate::context;

    #[test]
    fn a_long_text_is_cut_into_pieces_that_fit_and_lose_nothing() {
        for text in ["", "short", &"0123456789".repeat(50), &"日本語".repeat(100)] {
            let parts = split(text, 40);
            assert_eq!(parts.concat(), text);
            let most = parts.iter().map(|part| context::tokens_in(part)).max();
            assert!(most <= Some(40), "{most:?}");
        }
    }
}
