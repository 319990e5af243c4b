//! Rendered parts of finished messages, so that scrolling back costs nothing. The least recently
//! shown go first.

use std::collections::VecDeque;
use std::sync::Arc;

use protocol::{MessageId, PartView};

/// Messages kept: a few screens.
const KEPT: usize = 256;

/// Source bytes kept in all.
const KEPT_BYTES: usize = 4 << 20;

/// Rendered messages, least recently shown first.
#[derive(Debug, Default)]
pub(crate) struct RenderCache {
    entries: VecDeque<Entry>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    id: MessageId,
    /// Tells a finished message from the same one after it was continued.
    finished_at: i64,
    bytes: usize,
    parts: Arc<Vec<PartView>>,
}

impl RenderCache {
    pub(crate) fn get(&mut self, id: MessageId, finished_at: i64) -> Option<Arc<Vec<PartView>>> {
        let place = self.entries.iter().rposition(|entry| entry.id == id)?;
        let entry = self.entries.remove(place)?;
        if entry.finished_at != finished_at {
            self.bytes -= entry.bytes;
            return None;
        }
        let parts = Arc::clone(&entry.parts);
        self.entries.push_back(entry);
        Some(parts)
    }

    /// Keeps what was rendered from so many bytes.
    pub(crate) fn put(
        &mut self,
        id: MessageId,
        finished_at: i64,
        bytes: usize,
        parts: Arc<Vec<PartView>>,
    ) {
        self.entries.push_back(Entry {
            id,
            finished_at,
            bytes,
            parts,
        });
        self.bytes += bytes;
        while self.entries.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use protocol::MessageId;

    use super::{KEPT, RenderCache};

    #[test]
    fn the_least_recently_shown_goes_first() {
        let mut cache = RenderCache::default();
        let ids: Vec<MessageId> = (0..=KEPT).map(|_| MessageId::generate()).collect();
        for id in &ids[..KEPT] {
            cache.put(*id, 1, 1, Arc::default());
        }
        assert!(cache.get(ids[0], 1).is_some(), "it fits");
        cache.put(ids[KEPT], 1, 1, Arc::default());
        assert!(cache.get(ids[0], 1).is_some(), "it was shown again");
        assert!(cache.get(ids[1], 1).is_none(), "it made room");
    }

    #[test]
    fn a_continued_message_is_rendered_anew_and_huge_ones_are_not_kept() {
        let mut cache = RenderCache::default();
        let id = MessageId::generate();
        cache.put(id, 1, 10, Arc::default());
        assert!(cache.get(id, 2).is_none());
        assert_eq!(cache.bytes, 0);
        cache.put(id, 1, 5 << 20, Arc::default());
        assert!(cache.get(id, 1).is_none());
    }
}
