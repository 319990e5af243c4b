//! The pairs of keys and values at a file's beginning. Values are skipped; only the few that say
//! what the model is are kept.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};

use super::GgufError;
use super::source::Source;

const MAX_KEY_BYTES: u64 = 256;
/// Elements of an array: the largest vocabularies have half a million.
const MAX_ELEMENTS: u64 = 1 << 24;
const MAX_METADATA_BYTES: u64 = 512 << 20;
const MAX_ALIGNMENT: u64 = 1 << 20;
/// Arrays of integers up to this long are looked into (one number a layer).
const MAX_LAYERS: u64 = 4096;
const DEFAULT_ALIGNMENT: u64 = 32;

const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Text values that are kept, and how much of them.
const KEPT_TEXTS: [(&str, u64); 3] = [
    ("general.architecture", 64),
    ("general.name", 256),
    ("general.license", 64),
];

/// Integer values that are kept, by the end of their key.
const KEPT_INTEGERS: [&str; 9] = [
    "general.alignment",
    "split.count",
    ".context_length",
    ".block_count",
    ".embedding_length",
    ".attention.head_count",
    ".attention.head_count_kv",
    ".attention.key_length",
    ".attention.value_length",
];

/// What is kept of the metadata.
#[derive(Default)]
pub(super) struct Metadata {
    keys: HashSet<String>,
    texts: HashMap<String, String>,
    integers: HashMap<String, u64>,
    /// Sums of short arrays of integers.
    sums: HashMap<String, u64>,
}

impl Metadata {
    pub(super) fn read<R: Read + Seek>(
        source: &mut Source<R>,
        pairs: u64,
    ) -> Result<Self, GgufError> {
        let mut metadata = Self::default();
        for _ in 0..pairs {
            metadata.pair(source)?;
            if source.position() > MAX_METADATA_BYTES {
                return Err(GgufError::MetadataTooLong);
            }
        }
        Ok(metadata)
    }

    fn pair<R: Read + Seek>(&mut self, source: &mut Source<R>) -> Result<(), GgufError> {
        let length = source.u64("a key")?;
        match length {
            0 => return Err(GgufError::EmptyKey),
            1..=MAX_KEY_BYTES => {}
            _ => return Err(GgufError::KeyTooLong(length)),
        }
        let key = String::from_utf8(source.bytes(length, "a key")?)
            .map_err(|_| GgufError::NotText("key"))?;
        if self.keys.contains(&key) {
            return Err(GgufError::DuplicateKey(key));
        }
        match source.u32("a value")? {
            STRING => self.string(source, &key)?,
            ARRAY => self.array(source, &key)?,
            kind => self.scalar(source, &key, kind)?,
        }
        self.keys.insert(key);
        Ok(())
    }

    fn string<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        key: &str,
    ) -> Result<(), GgufError> {
        if KEPT_INTEGERS
            .iter()
            .any(|end| !end.starts_with('.') && key == *end)
        {
            return Err(GgufError::WrongKind(key.to_owned()));
        }
        let length = source.u64("a text")?;
        let Some((_, most)) = KEPT_TEXTS.iter().find(|(kept, _)| *kept == key) else {
            return source.skip(length, "a text");
        };
        let kept = length.min(*most);
        let bytes = source.bytes(kept, "a text")?;
        source.skip(length - kept, "a text")?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // A name that was cut in the middle of a character is still a name.
            Err(_) if length == kept => return Err(GgufError::NotText("name")),
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        self.texts.insert(key.to_owned(), text);
        Ok(())
    }

    fn array<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        key: &str,
    ) -> Result<(), GgufError> {
        let kind = source.u32("an array")?;
        let count = source.u64("an array")?;
        if kind == ARRAY {
            return Err(GgufError::NestedArray(key.to_owned()));
        }
        if KEPT_TEXTS.iter().any(|(kept, _)| *kept == key) || key == "general.alignment" {
            return Err(GgufError::WrongKind(key.to_owned()));
        }
        if count > MAX_ELEMENTS {
            return Err(GgufError::ArrayTooLong {
                key: key.to_owned(),
                count,
            });
        }
        if kind == STRING {
            for _ in 0..count {
                let length = source.u64("a list of texts")?;
                source.skip(length, "a list of texts")?;
            }
            return Ok(());
        }
        let size = scalar_size(kind).ok_or_else(|| GgufError::UnknownValueKind {
            key: key.to_owned(),
            kind,
        })?;
        if is_kept_integer(key) && matches!(kind, 4 | 5) && count <= MAX_LAYERS {
            let mut sum = 0_u64;
            for _ in 0..count {
                sum = sum.saturating_add(u64::from(source.u32("an array")?));
            }
            self.sums.insert(key.to_owned(), sum);
            return Ok(());
        }
        // At most 2^24 elements of 8 bytes: no overflow.
        source.skip(count * size, "an array")
    }

    fn scalar<R: Read + Seek>(
        &mut self,
        source: &mut Source<R>,
        key: &str,
        kind: u32,
    ) -> Result<(), GgufError> {
        let size = scalar_size(kind).ok_or_else(|| GgufError::UnknownValueKind {
            key: key.to_owned(),
            kind,
        })?;
        if KEPT_TEXTS.iter().any(|(kept, _)| *kept == key) {
            return Err(GgufError::WrongKind(key.to_owned()));
        }
        let bytes = source.bytes(size, "a value")?;
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(&bytes) {
            *to = *from;
        }
        let value = u64::from_le_bytes(wide);
        match kind {
            7 if value > 1 => return Err(GgufError::NotBool(key.to_owned())),
            // Unsigned, or signed and not negative.
            0 | 2 | 4 | 10 if is_kept_integer(key) => {
                self.integers.insert(key.to_owned(), value);
            }
            1 | 3 | 5 | 11 if is_kept_integer(key) && value >> (size * 8 - 1) == 0 => {
                self.integers.insert(key.to_owned(), value);
            }
            _ => {}
        }
        if key == "general.alignment" && kind != 4 {
            return Err(GgufError::WrongKind(key.to_owned()));
        }
        Ok(())
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts
            .get(key)
            .map(|text| text.trim())
            .filter(|text| !text.is_empty())
    }

    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        self.integers.get(key).copied()
    }

    pub(super) fn has_vocabulary(&self) -> bool {
        self.keys.contains("tokenizer.ggml.tokens")
    }

    pub(super) fn architecture(&self) -> Result<&str, GgufError> {
        let name = self
            .texts
            .get("general.architecture")
            .ok_or(GgufError::NoArchitecture)?;
        let plain = !name.is_empty()
            && name.len() < 64
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.');
        if plain {
            Ok(name)
        } else {
            Err(GgufError::Architecture)
        }
    }

    pub(super) fn alignment(&self) -> Result<u64, GgufError> {
        let alignment = self
            .integer("general.alignment")
            .unwrap_or(DEFAULT_ALIGNMENT);
        if alignment.is_power_of_two() && alignment <= MAX_ALIGNMENT {
            Ok(alignment)
        } else {
            Err(GgufError::Alignment(alignment))
        }
    }

    /// Keys and values of one token at 16 bits a number, over all layers.
    pub(super) fn cache_bytes_per_token(&self, architecture: &str) -> Option<u64> {
        let key = |end: &str| format!("{architecture}.{end}");
        let heads = self.integer(&key("attention.head_count"));
        let head_size = || {
            let width = self.integer(&key("embedding_length"))?;
            width.checked_div(heads?)
        };
        let key_length = self
            .integer(&key("attention.key_length"))
            .or_else(head_size)?;
        let value_length = self
            .integer(&key("attention.value_length"))
            .or_else(head_size)?;
        let kv = key("attention.head_count_kv");
        let kv_heads = match self.sums.get(&kv) {
            Some(sum) => *sum,
            None => {
                let layers = self.integer(&key("block_count"))?;
                self.integer(&kv).or(heads)?.checked_mul(layers)?
            }
        };
        key_length
            .checked_add(value_length)?
            .checked_mul(kv_heads)?
            .checked_mul(2)
    }
}

fn is_kept_integer(key: &str) -> bool {
    KEPT_INTEGERS.iter().any(|end| {
        if end.starts_with('.') {
            key.ends_with(end)
        } else {
            key == *end
        }
    })
}

/// Bytes of a number of this type; `None` for types that are no numbers or none at all.
const fn scalar_size(kind: u32) -> Option<u64> {
    match kind {
        0 | 1 | 7 => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}
