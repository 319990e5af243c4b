//! How much of this machine's memory a model may take: its window, and whether it runs at all.

use std::path::PathBuf;

use crate::gguf::Facts;

/// Memory that the cache of a model's conversations may take.
const CACHE_BYTES: u64 = 512 << 20;
/// A window for files that do not say what their cells cost.
const UNKNOWN_WINDOW: u64 = 4096;
/// Free memory below which the small model stands in for the default one.
const COMFORTABLE_BYTES: u64 = 4 << 30;

/// The system's own table of its memory.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    table: PathBuf,
}

impl Memory {
    pub(super) fn of_this_machine() -> Self {
        Self {
            table: PathBuf::from("/proc/meminfo"),
        }
    }

    #[cfg(test)]
    pub(super) const fn told_by(table: PathBuf) -> Self {
        Self { table }
    }

    /// Why the small model had better answer, in a clause; `None` when there is room for the
    /// default one, or the system does not tell.
    pub(super) fn is_short(&self) -> Option<String> {
        let free = self.row("MemAvailable:")?;
        (free < COMFORTABLE_BYTES).then(|| {
            format!(
                "less than {} GB of memory is free",
                COMFORTABLE_BYTES.div_ceil(1 << 30)
            )
        })
    }

    /// Why a model can never run here, in a clause: its file and its cache are larger than all
    /// memory.
    pub(super) fn forbids(&self, bytes: u64, facts: &Facts) -> Option<String> {
        let total = self.row("MemTotal:")?;
        let cache = facts
            .cache_bytes_per_token
            .unwrap_or(0)
            .saturating_mul(u64::from(window(facts)));
        let needed = bytes.saturating_add(cache);
        let gigabytes = |bytes: u64| bytes.div_ceil(100_000_000) as f64 / 10.0;
        (needed > total).then(|| {
            format!(
                "it needs {:.1} GB of memory and this machine has {:.1} GB: choose a smaller one",
                gigabytes(needed),
                gigabytes(total)
            )
        })
    }

    /// A row of the table in bytes.
    fn row(&self, name: &str) -> Option<u64> {
        let text = std::fs::read_to_string(&self.table).ok()?;
        let row = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = row.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    }
}

/// Tokens of context that a model gets here: what it was trained for, as far as memory for its
/// cache is granted.
pub(super) fn window(facts: &Facts) -> u32 {
    let trained = facts.context_length.unwrap_or(UNKNOWN_WINDOW);
    let granted = match facts.cache_bytes_per_token {
        Some(bytes @ 1..) => CACHE_BYTES / bytes,
        _ => UNKNOWN_WINDOW,
    };
    let tokens = trained.min(granted).clamp(512, 131_072);
    let rounded = if tokens > 1024 {
        tokens - tokens % 256
    } else {
        tokens
    };
    u32::try_from(rounded).unwrap_or(512)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::{Memory, window};
    use crate::gguf::Facts;

    #[test]
    fn a_window_is_what_memory_grants_of_what_was_trained() {
        let facts = |context, cell| Facts {
            context_length: context,
            cache_bytes_per_token: cell,
            ..Facts::default()
        };
        assert_eq!(window(&facts(Some(8192), Some(23_040))), 8192);
        assert_eq!(window(&facts(Some(32_768), Some(28_672))), 18_688);
        assert_eq!(window(&facts(Some(1 << 40), Some(1))), 131_072);
        assert_eq!(window(&facts(None, None)), 4096);
        assert_eq!(window(&facts(Some(0), Some(u64::MAX))), 512);
    }

    #[test]
    fn memory_is_read_from_the_systems_table() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "MemTotal: 4194304 kB\nMemAvailable:    2048 kB\n").unwrap();
        let memory = Memory::told_by(file.path().to_owned());
        assert!(memory.is_short().unwrap().contains("less than 4 GB"));
        let facts = Facts::default();
        assert_eq!(memory.forbids(4 << 30, &facts), None);
        let why = memory.forbids(5 << 30, &facts).unwrap();
        assert!(why.contains("5.4 GB") && why.contains("4.3 GB"), "{why}");
        let unknown = Memory::told_by(file.path().with_extension("none"));
        assert_eq!(unknown.is_short(), None);
        assert_eq!(unknown.forbids(u64::MAX, &facts), None);
    }
}
