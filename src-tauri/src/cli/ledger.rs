//! `pilotfish ledger`: every call that left the machine, without a word of what was said in it, and
//! what the calls came to.

use std::process::ExitCode;

use engine::Engine;
use protocol::{AppError, CallOutcome, Cost, LedgerEntry, Purpose, RunsAt, Spend};

use super::output;

/// Entries that are read at once.
const PAGE: u32 = 500;

/// The most entries that are listed: a year of one call a quarter of an hour.
const MOST: usize = 40_000;

/// Lists the calls of the last days, the oldest first: as lines, or each as a JSON object on a line
/// of its own.
pub async fn run(engine: &Engine, days: u32, json: bool) -> Result<ExitCode, AppError> {
    let mut entries = read(engine, days).await?;
    entries.reverse();
    for entry in &entries {
        if json {
            output::json(entry)?;
        } else {
            output::line(&line(entry))?;
        }
    }
    if !json {
        let spending = engine.spending(days).await?;
        output::complain(&format!(
            "{}; today {}",
            sum(&spending.total),
            dollars(&spending.today)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The newest entries, the last entered first.
async fn read(engine: &Engine, days: u32) -> Result<Vec<LedgerEntry>, AppError> {
    let mut entries = Vec::new();
    let mut next = None;
    loop {
        let page = engine.ledger(days, next, PAGE).await?;
        entries.extend(page.entries);
        next = page.next;
        if next.is_none() || entries.len() >= MOST {
            return Ok(entries);
        }
    }
}

fn line(entry: &LedgerEntry) -> String {
    let LedgerEntry {
        at,
        host,
        runs_at,
        purpose,
        model,
        usage,
        bytes_sent,
        bytes_received,
        cost,
        outcome,
        ..
    } = entry;
    let whence = match runs_at {
        RunsAt::InHouse | RunsAt::ThisMachine => " (this machine)",
        RunsAt::LocalNetwork { .. } => " (local network)",
        RunsAt::Host { .. } => "",
    };
    let count = |tokens: Option<u64>| tokens.map_or_else(|| "?".to_owned(), |n| n.to_string());
    let tokens = usage.as_ref().map_or_else(String::new, |usage| {
        let (input, output) = (count(usage.input_tokens), count(usage.output_tokens));
        let about = if usage.estimated { "~" } else { "" };
        format!(", {about}{input} in, {about}{output} out")
    });
    let cost = match (cost, usage) {
        (Some(Cost { usd, .. }), _) if *usd == 0.0 => String::new(),
        (Some(cost), _) => format!(", {}{:.6} USD", approximately(cost.estimated), cost.usd),
        (None, Some(_)) => ", cost unknown".to_owned(),
        (None, None) => String::new(),
    };
    format!(
        "{} {:<11} {:<9} {host}{whence} {}: {bytes_sent} B sent, {bytes_received} B received{tokens}{cost}",
        engine::local_time(*at),
        word(*purpose),
        ended(outcome),
        model.as_deref().unwrap_or("-"),
    )
}

fn sum(spend: &Spend) -> String {
    format!(
        "{} calls, {} B sent, {} B received, {}",
        spend.calls,
        spend.bytes_sent,
        spend.bytes_received,
        dollars(spend)
    )
}

fn dollars(spend: &Spend) -> String {
    let known = format!("{}{:.4} USD", approximately(spend.estimated), spend.usd);
    match spend.unpriced_calls {
        0 => known,
        unknown => format!("{known} and {unknown} of unknown cost"),
    }
}

const fn approximately(estimated: bool) -> &'static str {
    if estimated { "~" } else { "" }
}

const fn word(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Answer => "answer",
        Purpose::Title => "title",
        Purpose::Summary => "summary",
        Purpose::ListModels => "list-models",
        Purpose::TestKey => "test-key",
        Purpose::Download => "download",
    }
}

const fn ended(outcome: &CallOutcome) -> &'static str {
    match outcome {
        CallOutcome::Ok => "ok",
        CallOutcome::Failed { .. } => "failed",
        CallOutcome::Cancelled => "cancelled",
        CallOutcome::Refused { .. } => "refused",
    }
}
