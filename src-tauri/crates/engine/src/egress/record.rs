//! The ledger's entry of a call, while the call goes on.

use std::time::Instant;

use protocol::{AppError, CallOutcome, Cost, LedgerEntry, ModelRef, Usage};
use providers::Traffic;

use super::{Errand, Place, is_own};
use crate::{Engine, clock, cost};

/// The entry that a call will have. One that is dropped is that of a call which was stopped.
pub(crate) struct Record {
    engine: Engine,
    pub(super) traffic: Traffic,
    began: Instant,
    /// `None` once it is entered.
    entry: Option<Box<LedgerEntry>>,
    model: Option<ModelRef>,
}

impl Record {
    pub(super) fn new(engine: &Engine, to: &Place, errand: &Errand) -> Self {
        let model = errand.model.as_ref().map(|model| model.model.clone());
        Self {
            engine: engine.clone(),
            traffic: Traffic::default(),
            began: Instant::now(),
            entry: Some(Box::new(LedgerEntry {
                at: clock::now_ms(),
                duration_ms: 0,
                host: to.host.clone(),
                runs_at: to.runs_at.clone(),
                purpose: errand.purpose,
                provider: to.provider.clone(),
                model,
                conversation_id: errand.conversation_id,
                message_id: errand.message_id,
                usage: None,
                bytes_sent: 0,
                bytes_received: 0,
                cost: None,
                outcome: CallOutcome::Cancelled,
            })),
            model: errand.model.clone(),
        }
    }

    /// Notes what a download is of.
    pub(crate) fn note_model(&mut self, id: &str) {
        if let Some(entry) = &mut self.entry {
            entry.model = Some(id.to_owned());
        }
    }

    /// Notes where a download really comes from, and how many bytes have come.
    pub(crate) fn note_fetched(&mut self, source: &str, bytes: u64) {
        if let Some(entry) = &mut self.entry {
            source.clone_into(&mut entry.host);
            entry.bytes_received = entry.bytes_received.saturating_add(bytes);
        }
    }

    /// Forgets the call: none was made.
    pub(crate) fn discard(mut self) {
        self.entry = None;
    }

    /// Enters the call.
    pub(crate) async fn end(mut self, outcome: CallOutcome, usage: Option<Usage>) -> Option<Cost> {
        let mut entry = self.close(outcome)?;
        let cost = match (&usage, &self.model) {
            (Some(usage), Some(model)) => {
                let price = self.engine.price(model).await;
                let is_own = is_own(&entry.runs_at, model);
                cost::of(usage, price.as_ref(), is_own)
            }
            _ => None,
        };
        entry.usage = usage;
        entry.cost.clone_from(&cost);
        enter(&self.engine, &entry).await;
        cost
    }

    fn close(&mut self, outcome: CallOutcome) -> Option<Box<LedgerEntry>> {
        let mut entry = self.entry.take()?;
        entry.duration_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        entry.bytes_sent = entry.bytes_sent.saturating_add(self.traffic.sent());
        entry.bytes_received = entry.bytes_received.saturating_add(self.traffic.received());
        entry.outcome = outcome;
        Some(entry)
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if let Some(entry) = self.close(CallOutcome::Cancelled) {
            let engine = self.engine.clone();
            self.engine
                .spawn(async move { enter(&engine, &entry).await });
        }
    }
}

async fn enter(engine: &Engine, entry: &LedgerEntry) {
    let entered = match engine.store() {
        Ok(store) => store.enter(entry).await.map_err(AppError::from),
        Err(error) => Err(error),
    };
    if let Err(error) = entered {
        tracing::error!(%error, host = entry.host, "an outbound call was not entered into the ledger");
    }
}
