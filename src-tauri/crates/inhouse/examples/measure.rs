//! Measures the in-house model through the door that the application uses, worker and all.
//! `scripts/bench` drives it: a request a line on standard input, as
//! `{"messages":["…","…"],"max_tokens":64,"cache_key":"a"}` with the person's and the model's
//! messages in turn, and a line of JSON with milliseconds, tokens and text as the answer.
//!
//! ```text
//! measure PILOTFISH MODELS_DIR MODEL THREADS
//! ```

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt;
use inhouse::{Config, Inhouse, WorkerCommand};
use protocol::{Part, Role, Usage};
use providers::{Provider, ProviderEvent, Request, RequestMessage};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

#[derive(Deserialize)]
struct Asked {
    messages: Vec<String>,
    max_tokens: u32,
    cache_key: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .ok_or("measure PILOTFISH MODELS_DIR MODEL THREADS")
    };
    let program = PathBuf::from(next()?);
    let models_dir = PathBuf::from(next()?);
    let model = next()?;
    let threads = next()?.parse()?;
    let inhouse = Inhouse::open(Config {
        cache_dir: std::env::temp_dir().join(format!("pilotfish-measure-{}", std::process::id())),
        models_dir,
        worker: WorkerCommand {
            program,
            args: vec!["worker".into()],
        },
        idle_unload: Duration::from_secs(3600),
        threads: Some(threads),
    });
    let provider = inhouse.provider();
    for line in io::stdin().lock().lines() {
        let asked: Asked = serde_json::from_str(&line?)?;
        let answer = measure(provider.as_ref(), &model, asked).await?;
        writeln!(io::stdout().lock(), "{answer}")?;
    }
    inhouse.shutdown().await;
    Ok(())
}

async fn measure(
    provider: &dyn Provider,
    model: &str,
    asked: Asked,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let messages = asked
        .messages
        .into_iter()
        .enumerate()
        .map(|(index, text)| RequestMessage {
            role: if index % 2 == 0 {
                Role::User
            } else {
                Role::Assistant
            },
            parts: vec![Part::text(text)],
        });
    let request = Request {
        model: model.to_owned(),
        system: "You are a helpful assistant.".to_owned(),
        messages: messages.collect(),
        max_tokens: Some(asked.max_tokens),
        temperature: Some(0.0),
        cache_key: Some(asked.cache_key),
        ..Request::default()
    };
    let start = Instant::now();
    let milliseconds = || start.elapsed().as_secs_f64() * 1000.0;
    let mut first = None;
    let mut text = String::new();
    let mut usage = Usage::default();
    let mut served_by = None;
    let mut stream = provider.stream(request, None, CancellationToken::new());
    while let Some(event) = stream.next().await {
        match event? {
            ProviderEvent::Text(piece) => {
                first.get_or_insert_with(milliseconds);
                text.push_str(&piece);
            }
            ProviderEvent::Started { model, .. } => served_by = model,
            ProviderEvent::Usage(told) => usage = told,
            _ => {}
        }
    }
    Ok(serde_json::json!({
        "model": served_by,
        "first_ms": first,
        "total_ms": milliseconds(),
        "input": usage.input_tokens,
        "cached": usage.cached_tokens,
        "output": usage.output_tokens,
        "text": text,
    }))
}
