//! Link references and footnotes across blocks. A block is rendered with the definitions that came
//! before its end; a later one makes the few blocks that had waited for it anew. What that may cost
//! while the text grows is bounded: past the bound they wait for the end of the text.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

/// The longest label, as in CommonMark.
const MAX_LABEL: usize = 999;
/// The longest destination that is kept: a longer one is no link anyway.
const MAX_DESTINATION: usize = 2_048;
/// Bytes of HTML that late definitions may have shown anew while the text grows.
const REWORK: usize = 4 * 1024 * 1024;
/// Bytes that destinations may add to the HTML, besides eight times the text's own.
const EXPANSION: usize = 1024 * 1024;

/// A finished block of text that named labels nobody had defined.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// The block's text.
    pub text: Range<usize>,
    /// Its blocks of HTML.
    pub blocks: Range<usize>,
    /// Bytes of destinations in them that were taken from other blocks.
    pub expanded: usize,
}

/// What a text's blocks know of each other.
#[derive(Debug)]
pub(crate) struct References {
    links: HashMap<String, String>,
    footnotes: HashSet<String>,
    waiting: Vec<Waiting>,
    /// Places in `waiting` by the label that is waited for.
    labels: HashMap<String, Vec<usize>>,
    held: BTreeSet<usize>,
    rework_left: usize,
    expansion_left: usize,
}

impl Default for References {
    fn default() -> Self {
        Self {
            links: HashMap::new(),
            footnotes: HashSet::new(),
            waiting: Vec::new(),
            labels: HashMap::new(),
            held: BTreeSet::new(),
            rework_left: REWORK,
            expansion_left: EXPANSION,
        }
    }
}

/// What a block defines, and the labels that it waits for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Labels and destinations of links.
    pub links: Vec<(String, String)>,
    /// Labels of footnotes.
    pub footnotes: Vec<String>,
    /// Labels that nothing defines yet.
    pub missing: HashSet<String>,
    /// Bytes of destinations that were taken from other blocks.
    pub expanded: usize,
}

/// Answers for one block's rendering.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    references: &'a References,
    missing: RefCell<HashSet<String>>,
    expanded: Cell<usize>,
}

impl Lookup<'_> {
    /// The destination of a link's label.
    pub(crate) fn link(&self, label: &str) -> Option<String> {
        let label = normal(label)?;
        let Some(destination) = self.references.links.get(&label) else {
            self.missing.borrow_mut().insert(label);
            return None;
        };
        let expanded = self.expanded.get() + destination.len();
        if expanded > self.references.expansion_left {
            return None;
        }
        self.expanded.set(expanded);
        Some(destination.clone())
    }

    /// Whether `[^label]` refers to a footnote. Numbers always do: models write the notes last,
    /// and numbers in such brackets are nothing else.
    pub(crate) fn is_footnote(&self, label: &str) -> bool {
        if !label.is_empty() && label.bytes().all(|b| b.is_ascii_digit()) {
            return true;
        }
        let Some(label) = normal(label) else {
            return false;
        };
        let label = format!("^{label}");
        let is_known = self.references.footnotes.contains(&label);
        if !is_known {
            self.missing.borrow_mut().insert(label);
        }
        is_known
    }

    /// What the block asked for in vain, and what it took.
    pub(crate) fn into_found(self) -> Found {
        Found {
            missing: self.missing.into_inner(),
            expanded: self.expanded.get(),
            ..Found::default()
        }
    }
}

impl References {
    /// What is known, for rendering one block.
    pub(crate) fn lookup(&self) -> Lookup<'_> {
        Lookup {
            references: self,
            missing: RefCell::default(),
            expanded: Cell::new(0),
        }
    }

    /// Takes what a finished block defines and waits for. Gives back the places of earlier blocks that
    /// must be made anew now; `shown` says how many bytes of HTML follow from the given block on.
    pub(crate) fn settle(
        &mut self,
        found: Found,
        waiting: Waiting,
        shown: impl Fn(usize) -> usize,
    ) -> Vec<usize> {
        self.expansion_left = self.expansion_left.saturating_add(8 * waiting.text.len());
        self.charge(waiting.expanded);
        if !found.missing.is_empty() {
            let place = self.waiting.len();
            self.waiting.push(waiting);
            for label in found.missing {
                self.labels.entry(label).or_default().push(place);
            }
        }
        let mut due = BTreeSet::new();
        for (label, destination) in found.links {
            let Some(label) = normal(&label) else {
                continue;
            };
            if destination.len() <= MAX_DESTINATION && !self.links.contains_key(&label) {
                due.extend(self.labels.remove(&label).unwrap_or_default());
                self.links.insert(label, destination);
            }
        }
        for label in found.footnotes {
            let Some(label) = normal(&label) else {
                continue;
            };
            let label = format!("^{label}");
            due.extend(self.labels.remove(&label).unwrap_or_default());
            self.footnotes.insert(label);
        }
        let Some(first) = due.first().and_then(|place| self.waiting.get(*place)) else {
            return Vec::new();
        };
        // Once something had to be held, all is: what a late definition costs need not even be
        // counted any more.
        let cost = if self.rework_left == 0 {
            usize::MAX
        } else {
            shown(first.blocks.start)
        };
        match self.rework_left.checked_sub(cost) {
            Some(left) => {
                self.rework_left = left;
                due.into_iter().collect()
            }
            None => {
                self.rework_left = 0;
                self.held.extend(due);
                Vec::new()
            }
        }
    }

    /// Where the blocks stand that had to wait for the end of the text.
    pub(crate) fn take_held(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.held).into_iter().collect()
    }

    /// The block that waits at a place, to be made anew: what it had taken is given back, and
    /// `charge_again` says what it takes then.
    pub(crate) fn release(&mut self, place: usize) -> Option<Waiting> {
        let waiting = self.waiting.get_mut(place)?;
        self.expansion_left = self.expansion_left.saturating_add(waiting.expanded);
        waiting.expanded = 0;
        Some(waiting.clone())
    }

    /// Notes what a block that was made anew has taken.
    pub(crate) fn charge_again(&mut self, place: usize, expanded: usize) {
        if let Some(waiting) = self.waiting.get_mut(place) {
            waiting.expanded = expanded;
        }
        self.charge(expanded);
    }

    fn charge(&mut self, expanded: usize) {
        self.expansion_left = self.expansion_left.saturating_sub(expanded);
    }
}

/// A label as labels are compared: white space collapsed, without regard to case.
fn normal(label: &str) -> Option<String> {
    if label.len() > MAX_LABEL {
        return None;
    }
    let mut normal = String::with_capacity(label.len());
    for word in label.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.extend(word.chars().flat_map(char::to_lowercase));
    }
    (!normal.is_empty()).then_some(normal)
}
