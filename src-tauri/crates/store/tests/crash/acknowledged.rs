//! What the writer said on its way: what it had begun, and what the store had acknowledged.

use std::collections::{HashMap, HashSet};

use protocol::{ConversationId, MessageId};

/// What a writer was doing when it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    Open,
    Send,
    Stream,
    Edit,
    Copy,
    Delete,
    Restore,
    Close,
}

/// A message that the writer named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) id: MessageId,
    /// Which message, and so which text.
    pub(crate) n: usize,
    pub(crate) talk: ConversationId,
}

/// All that a writer said.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) opened: bool,
    pub(crate) created: Vec<ConversationId>,
    pub(crate) sent: Vec<Named>,
    pub(crate) open: Vec<(MessageId, ConversationId)>,
    /// The last length, in bytes, that a draft was told to have.
    pub(crate) grown: HashMap<MessageId, (Named, usize)>,
    pub(crate) finished: Vec<Named>,
    pub(crate) snapshots: Vec<String>,
    pub(crate) deleting: HashSet<ConversationId>,
    pub(crate) trashed: Vec<ConversationId>,
    pub(crate) purged: Vec<ConversationId>,
    pub(crate) restored: bool,
    /// Why the store opened read-only.
    pub(crate) recovery: Option<String>,
    /// How many conversations it listed then.
    pub(crate) listed: Option<usize>,
    pub(crate) failed: Vec<String>,
    pub(crate) phase: Option<Phase>,
}

impl Acknowledged {
    pub(crate) fn read(said: &str) -> Self {
        let mut all = Self::default();
        // A line that was cut off was not said.
        let whole = said
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'));
        for line in whole {
            if let Some(phase) = all.line(line) {
                all.phase = Some(phase);
            }
        }
        all
    }

    /// Takes a line in, and tells what the writer does next; `None` when it goes on with the same.
    fn line(&mut self, line: &str) -> Option<Phase> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let named = |id: &str, n: &str, talk: &str| Named {
            id: id.parse().unwrap(),
            n: n.parse().unwrap(),
            talk: talk.parse().unwrap(),
        };
        match words.as_slice() {
            ["opening"] => return Some(Phase::Open),
            ["opened"] => self.opened = true,
            ["recovered", count] => {
                assert!(count.parse::<u64>().is_ok());
                return Some(Phase::Send);
            }
            ["created", talk] => {
                self.created.push(talk.parse().unwrap());
                return Some(Phase::Send);
            }
            ["sent", id, n, talk] => {
                self.sent.push(named(id, n, talk));
                return Some(Phase::Stream);
            }
            ["open", id, talk] => {
                self.open.push((id.parse().unwrap(), talk.parse().unwrap()));
                return Some(Phase::Stream);
            }
            ["grown", id, n, length, talk] => {
                let named = named(id, n, talk);
                self.grown
                    .insert(named.id, (named, length.parse().unwrap()));
            }
            ["finished", id, n, talk] => {
                self.finished.push(named(id, n, talk));
                return Some(Phase::Send);
            }
            ["editing"] => return Some(Phase::Edit),
            ["copying"] => return Some(Phase::Copy),
            ["snapshot", name] => self.snapshots.push((*name).to_owned()),
            ["deleting", talk] => {
                self.deleting.insert(talk.parse().unwrap());
                return Some(Phase::Delete);
            }
            ["trashed", talk] => self.trashed.push(talk.parse().unwrap()),
            ["purged", "nothing"] => {}
            ["purged", talk] => self.purged.push(talk.parse().unwrap()),
            ["listed", count] => self.listed = Some(count.parse().unwrap()),
            ["restoring"] => return Some(Phase::Restore),
            ["restored"] => self.restored = true,
            ["closing"] => return Some(Phase::Close),
            ["recovery", ..] => self.recovery = Some(line.to_owned()),
            ["failed", ..] => self.failed.push(line.to_owned()),
            _ => panic!("the writer said what nobody knows: {line}"),
        }
        None
    }
}
