//! Continuous batching: every step decodes one batch that holds the next token of each answer that
//! is being written and a piece of the prompts that are being read.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU32;
use std::time::Instant;

use llama_cpp_2::DecodeError;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use protocol::StopReason;

use super::Output;
use super::batch::{Pick, Piece};
use super::pace::{self, Pace};
use super::prompt::Prompter;
use super::slot::{Job, Slot};
use crate::line::{self, Command, Event, Fault, Generate, Load};

/// Requests that wait for a slot at most.
const MAX_WAITING: usize = 32;

/// A model in memory and the conversations in its cache.
pub(super) struct Session<'m> {
    model: &'m LlamaModel,
    pub(super) context: LlamaContext<'m>,
    pub(super) batch: LlamaBatch<'static>,
    prompter: Prompter,
    pub(super) slots: Vec<Slot>,
    waiting: VecDeque<Generate>,
    /// How many prompt tokens a step takes.
    pub(super) pace: Pace,
    /// Tokens of context.
    window: u32,
    /// Requests so far: the clock by which slots grow old.
    requests: u64,
    /// Events of requests that never reached a slot.
    refused: Vec<Event>,
}

impl<'m> Session<'m> {
    pub(super) fn new(
        backend: &LlamaBackend,
        model: &'m LlamaModel,
        load: &Load,
    ) -> Result<Self, String> {
        let slots = load.slots.clamp(1, 16);
        let threads = i32::try_from(load.threads.clamp(1, 256)).unwrap_or(1);
        let room = u32::try_from(pace::MAX_CHUNK).unwrap_or(512) + slots;
        let context = load.context.clamp(256, 1 << 20);
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(context))
            .with_n_seq_max(slots)
            .with_kv_unified(true)
            .with_n_batch(room)
            .with_n_ubatch(room)
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_no_perf(true);
        let prompter = Prompter::new(model)?;
        let context = model
            .new_context(backend, params)
            .map_err(|_| "there is too little memory for it, or it is damaged".to_owned())?;
        let window = context.n_ctx();
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        Ok(Self {
            model,
            window,
            context,
            batch: LlamaBatch::new(size(room), 1),
            prompter,
            slots: (0..slots).map(Slot::new).collect(),
            waiting: VecDeque::new(),
            pace: Pace::default(),
            requests: 0,
            refused: Vec::new(),
        })
    }

    pub(super) const fn context_tokens(&self) -> u32 {
        self.window
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.refused.is_empty()
            && self.slots.iter().all(|slot| slot.job.is_none())
    }

    /// Takes a command; what comes of it is told by the next step.
    pub(super) fn take(&mut self, command: Command) {
        match command {
            Command::Generate(request) => {
                if let Some(message) = line::fault(&request) {
                    self.refuse(request.id, Fault::InvalidRequest, message);
                } else if self.waiting.len() >= MAX_WAITING {
                    let message = "the in-house model has too much to do: ask again in a moment";
                    self.refuse(request.id, Fault::Overloaded, message);
                } else {
                    self.waiting.push_back(request);
                }
            }
            Command::Cancel { id } => {
                self.waiting.retain(|request| request.id != id);
                for slot in &mut self.slots {
                    slot.job.take_if(|job| job.id == id);
                }
                self.resume();
            }
            Command::Load(_) => tracing::warn!("a worker loads one model"),
        }
    }

    /// One batch, and what it brings.
    pub(super) fn step(&mut self, output: &mut Output) -> io::Result<()> {
        while self.slots.iter().any(|slot| slot.job.is_none())
            && let Some(request) = self.waiting.pop_front()
        {
            self.begin(request, output)?;
        }
        for event in self.refused.drain(..) {
            output.send(&event)?;
        }
        let (picks, pieces) = self.fill_batch();
        if self.batch.n_tokens() == 0 {
            return Ok(());
        }
        // To read a prompt may take long: nobody's text waits for it.
        if !pieces.is_empty() {
            output.flush()?;
        }
        let began = Instant::now();
        loop {
            match self.context.decode(&mut self.batch) {
                Ok(()) => break,
                Err(DecodeError::NoKvCacheSlot) if self.evict_oldest() => {}
                Err(error) => return self.give_up(&error, &picks, &pieces, output),
            }
        }
        self.pace.note(&pieces, began.elapsed());
        self.advance(&pieces, &picks, output)?;
        let busy = self.busy();
        for pick in picks {
            self.pick(&pick, output)?;
        }
        if self.busy() < busy {
            self.resume();
        }
        Ok(())
    }

    /// Answers that are being made.
    fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| slot.job.is_some()).count()
    }

    /// Lets answers go on that had to make room: there is more of it now.
    fn resume(&mut self) {
        for job in self.slots.iter_mut().filter_map(|slot| slot.job.as_mut()) {
            job.is_paused = false;
        }
    }

    fn refuse(&mut self, id: u64, fault: Fault, message: impl Into<String>) {
        self.refused.push(Event::Failed {
            id,
            fault,
            message: message.into(),
        });
    }

    /// Puts a request into a slot, with as much of its prompt as the cache holds already.
    fn begin(&mut self, request: Generate, output: &mut Output) -> io::Result<()> {
        let id = request.id;
        let prompt = match self.prompter.tokens(self.model, &request) {
            Ok(prompt) => prompt,
            Err(message) => {
                self.refuse(id, Fault::ModelInvalid, message);
                return Ok(());
            }
        };
        let window = usize::try_from(self.window).unwrap_or(usize::MAX);
        if prompt.is_empty() || prompt.len() >= window {
            let message = format!(
                "the conversation has {} tokens and this model reads {}: start a new chat, \
                 shorten the message, or switch to a model with a larger window",
                prompt.len(),
                window - 1
            );
            self.refuse(id, Fault::ContextOverflow, message);
            return Ok(());
        }
        self.requests += 1;
        let Some(chosen) = self.choose(request.cache_key.as_deref()) else {
            self.waiting.push_front(request);
            return Ok(());
        };
        let kept = self.keep_prefix(chosen, &prompt);
        let job = Job::new(self.model, request.clone(), prompt, kept);
        let (done, total) = (job.tokens.cached, job.tokens.input);
        let slot = &mut self.slots[chosen];
        slot.key = request.cache_key;
        slot.used = self.requests;
        slot.job = Some(job);
        output.send(&Event::Reading { id, done, total })
    }

    /// Notes what the batch has put into the cache.
    fn advance(&mut self, pieces: &[Piece], picks: &[Pick], out: &mut Output) -> io::Result<()> {
        for pick in picks {
            let slot = &mut self.slots[pick.slot];
            if let Some(token) = slot.job.as_mut().and_then(|job| job.pending.take()) {
                slot.cached.push(token);
            }
        }
        for piece in pieces {
            let slot = &mut self.slots[piece.slot];
            let Some(job) = &slot.job else { continue };
            let from = slot.cached.len();
            slot.cached
                .extend_from_slice(&job.prompt[from..from + piece.tokens]);
            // What an answer that made room reads again was told before.
            if job.tokens.output > 0 {
                continue;
            }
            let done = u32::try_from(slot.cached.len()).unwrap_or(u32::MAX);
            out.send(&Event::Reading {
                id: job.id,
                done,
                total: job.tokens.input,
            })?;
        }
        Ok(())
    }

    /// Picks a slot's next token and tells its text.
    fn pick(&mut self, pick: &Pick, output: &mut Output) -> io::Result<()> {
        let slot = &mut self.slots[pick.slot];
        let Some(job) = &mut slot.job else {
            return Ok(());
        };
        let Some(token) = job.picker.pick(&self.context, pick.at) else {
            let (id, fault) = (job.id, Fault::ModelInvalid);
            let message = "its weights are damaged: fetch it again".to_owned();
            slot.job = None;
            return output.send(&Event::Failed { id, fault, message });
        };
        let vocab = self.model.vocab();
        if vocab.is_eog(token) {
            return finish(slot, StopReason::EndTurn, output);
        }
        job.tokens.output += 1;
        let step = job.text.push(&vocab.token_to_piece(token, false, None));
        if !step.text.is_empty() {
            output.send(&Event::Text {
                id: job.id,
                text: step.text,
            })?;
        }
        if step.stopped {
            return finish(slot, StopReason::StopSequence, output);
        }
        if job.tokens.output >= job.max_tokens {
            return finish(slot, StopReason::MaxTokens, output);
        }
        if slot.cached.len() + 1 >= usize::try_from(self.window).unwrap_or(usize::MAX) {
            return finish(slot, StopReason::ContextFull, output);
        }
        job.pending = Some(token);
        Ok(())
    }

    /// A batch did not go through. When only room was missing, the youngest answer makes room and
    /// goes on when another is done; anything else ends every answer of the batch.
    fn give_up(
        &mut self,
        error: &DecodeError,
        picks: &[Pick],
        pieces: &[Piece],
        output: &mut Output,
    ) -> io::Result<()> {
        // Not all of them need be in the batch: a prompt may wait until an older one is read.
        let mut active: Vec<usize> = (0..self.slots.len())
            .filter(|&index| self.slots[index].is_active())
            .collect();
        active.sort_by_key(|&index| self.slots[index].used);
        if *error == DecodeError::NoKvCacheSlot
            && let [_, .., youngest] = active[..]
        {
            let cached = self.forget(youngest);
            if let Some(job) = &mut self.slots[youngest].job {
                job.pause(cached);
            }
            return Ok(());
        }
        let mut hit: Vec<usize> = picks.iter().map(|pick| pick.slot).collect();
        hit.extend(pieces.iter().map(|piece| piece.slot));
        for index in hit {
            if let Some(job) = self.slots[index].job.take() {
                output.send(&Event::Failed {
                    id: job.id,
                    fault: Fault::Unknown,
                    message: format!("llama.cpp gave up ({error}): ask again"),
                })?;
            }
            self.forget(index);
        }
        self.resume();
        Ok(())
    }

    /// Empties a slot's part of the cache and gives what stood there.
    fn forget(&mut self, index: usize) -> Vec<LlamaToken> {
        let slot = &mut self.slots[index];
        let sequence = Some(slot.sequence);
        let _ = self.context.clear_kv_cache_seq(sequence, None, None);
        std::mem::take(&mut slot.cached)
    }
}

fn finish(slot: &mut Slot, stop_reason: StopReason, output: &mut Output) -> io::Result<()> {
    let Some(mut job) = slot.job.take() else {
        return Ok(());
    };
    let id = job.id;
    let rest = job.text.finish();
    // What was held back is the beginning of the stop text only when that text was met, and then
    // nothing is held.
    if !rest.is_empty() {
        output.send(&Event::Text { id, text: rest })?;
    }
    output.send(&Event::Finished {
        id,
        stop_reason,
        tokens: job.tokens,
    })
}
