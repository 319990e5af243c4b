//! A check of GGUF files in plain Rust, before llama.cpp sees them: llama.cpp trusts the counts and
//! extents that a file declares, and files that lied about them have read and written outside of
//! its memory (CVE-2025-53630, CVE-2026-27940, CVE-2026-7482). The check reads the metadata once,
//! skips over values instead of loading them, computes every extent in checked 64-bit arithmetic,
//! and accepts only a file whose declared sizes add up to exactly its length.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod kind;
mod metadata;
mod source;
mod tensors;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use serde::{Deserialize, Serialize};

use metadata::Metadata;
use source::Source;

/// Pairs of metadata and tensors that a file may declare at most. Real files have some hundreds.
const MAX_COUNT: u64 = 65_536;

/// What a file says about its model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The model's name, when the file gives one.
    pub name: Option<String>,
    /// The licence, as the file names it.
    pub licence: Option<String>,
    /// Tokens of the longest context that it was trained for.
    pub context_length: Option<u64>,
    /// Bytes that one token of context takes in the cache at 16 bits a number, when the file tells.
    pub cache_bytes_per_token: Option<u64>,
}

/// Why a file is refused. Each message is a clause to put after "refused:".
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// It could not be read.
    #[error("it could not be read: {0}")]
    Io(#[from] std::io::Error),
    /// It does not begin with `GGUF`.
    #[error("it is no GGUF file")]
    NotGguf,
    /// A version of the format other than 2 and 3.
    #[error("it is of GGUF version {0}, and only 2 and 3 are read")]
    Version(u32),
    /// It was written for a machine of the other byte order.
    #[error("it was written for a big-endian machine")]
    ByteOrder,
    /// More pairs of metadata than any model has.
    #[error("it declares {0} pairs of metadata")]
    TooManyPairs(u64),
    /// More tensors than any model has.
    #[error("it declares {0} tensors")]
    TooManyTensors(u64),
    /// The file ends before the named thing does.
    #[error("it ends in the middle of {0}")]
    Truncated(&'static str),
    /// A key without a name.
    #[error("a key of its metadata is empty")]
    EmptyKey,
    /// A key longer than any real one.
    #[error("a key of its metadata is {0} bytes long")]
    KeyTooLong(u64),
    /// A key or a value that must be text is none.
    #[error("its {0} is not UTF-8 text")]
    NotText(&'static str),
    /// The same key twice.
    #[error("the key {0} occurs twice")]
    DuplicateKey(String),
    /// A type of value that the format does not have.
    #[error("the key {key} has the unknown type {kind}")]
    UnknownValueKind {
        /// The key.
        key: String,
        /// The type's number.
        kind: u32,
    },
    /// An array of arrays.
    #[error("the key {0} holds an array of arrays")]
    NestedArray(String),
    /// An array longer than any real one.
    #[error("the key {key} declares {count} elements")]
    ArrayTooLong {
        /// The key.
        key: String,
        /// The elements.
        count: u64,
    },
    /// A truth value that is neither.
    #[error("the key {0} holds a truth value that is neither true nor false")]
    NotBool(String),
    /// A value of a type that the key does not have.
    #[error("the key {0} has a value of the wrong type")]
    WrongKind(String),
    /// More metadata than any model has.
    #[error("its metadata is longer than 512 MiB")]
    MetadataTooLong,
    /// An alignment that is no power of two, or absurd.
    #[error("its alignment is {0}, not a power of two up to 1 MiB")]
    Alignment(u64),
    /// The architecture is missing.
    #[error("it does not say of what architecture the model is")]
    NoArchitecture,
    /// The architecture's name is empty, long or strange.
    #[error("the name of its architecture is not a plain word")]
    Architecture,
    /// No tensors: a vocabulary alone, or the first part of a split model.
    #[error("it holds no weights")]
    NoTensors,
    /// The part of a model that looks at pictures or listens; it says nothing by itself.
    #[error("it is only the part of a model that sees or hears: choose the model itself")]
    Companion,
    /// No vocabulary, and so no words to read or write.
    #[error("it brings no vocabulary, so it cannot read or write")]
    NoVocabulary,
    /// A part of a model that was split over several files.
    #[error("it is one of {0} parts of a split model: join them first")]
    Split(u64),
    /// A tensor without a name.
    #[error("a tensor has no name")]
    EmptyTensorName,
    /// A tensor's name is longer than 63 bytes.
    #[error("a tensor's name is {0} bytes long")]
    TensorNameTooLong(u64),
    /// The same tensor twice.
    #[error("the tensor {0} occurs twice")]
    DuplicateTensor(String),
    /// No dimensions, or more than four.
    #[error("the tensor {tensor} has {count} dimensions")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        count: u32,
    },
    /// A dimension of zero or beyond what an i64 holds.
    #[error("the tensor {tensor} has a dimension of {size}")]
    Dimension {
        /// The tensor.
        tensor: String,
        /// The dimension.
        size: u64,
    },
    /// A type of tensor that this version does not know.
    #[error("the tensor {tensor} has the unknown type {kind}")]
    UnknownTensorKind {
        /// The tensor.
        tensor: String,
        /// The type's number.
        kind: u32,
    },
    /// A row is not made of whole blocks.
    #[error("a row of the tensor {tensor} has {row} numbers, not a multiple of {block}")]
    PartialBlock {
        /// The tensor.
        tensor: String,
        /// Numbers in a row.
        row: u64,
        /// Numbers in a block of its type.
        block: u64,
    },
    /// A size that 63 bits do not hold.
    #[error("the size of the tensor {0} overflows")]
    Overflow(String),
    /// A tensor does not begin where the one before it ends.
    #[error("the tensor {tensor} begins at {offset}, not at {expected}")]
    Offset {
        /// The tensor.
        tensor: String,
        /// Where it says it begins, in the data section.
        offset: u64,
        /// Where it must begin.
        expected: u64,
    },
    /// The tensors reach beyond the file's end.
    #[error("it is {actual} bytes long and should be {expected}: a part of it is missing")]
    TooShort {
        /// The file's length.
        actual: u64,
        /// The length that it declares.
        expected: u64,
    },
    /// There is more after the last tensor.
    #[error("it is {actual} bytes long and should be {expected}: it has a foreign end")]
    TooLong {
        /// The file's length.
        actual: u64,
        /// The length that it declares.
        expected: u64,
    },
}

/// Checks a file.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(path: &Path) -> Result<Facts, GgufError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    check_reader(BufReader::with_capacity(256 * 1024, file), length)
}

/// Checks what `reader` gives from its beginning, `length` bytes in all.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check_reader(reader: impl Read + Seek, length: u64) -> Result<Facts, GgufError> {
    let mut source = Source::new(reader, length);
    let magic: [u8; 4] = source.array("the header").map_err(|error| match error {
        GgufError::Truncated(_) => GgufError::NotGguf,
        other => other,
    })?;
    if magic != *b"GGUF" {
        return Err(GgufError::NotGguf);
    }
    match source.u32("the header")? {
        2 | 3 => {}
        version if version.trailing_zeros() >= 16 && version != 0 => {
            return Err(GgufError::ByteOrder);
        }
        version => return Err(GgufError::Version(version)),
    }
    let tensors = source.u64("the header")?;
    let pairs = source.u64("the header")?;
    if tensors > MAX_COUNT {
        return Err(GgufError::TooManyTensors(tensors));
    }
    if pairs > MAX_COUNT {
        return Err(GgufError::TooManyPairs(pairs));
    }
    let metadata = Metadata::read(&mut source, pairs)?;
    let architecture = metadata.architecture()?.to_owned();
    if let Some(parts) = metadata.integer("split.count").filter(|&parts| parts > 1) {
        return Err(GgufError::Split(parts));
    }
    if tensors == 0 {
        return Err(GgufError::NoTensors);
    }
    if architecture == "clip" {
        return Err(GgufError::Companion);
    }
    if !metadata.has_vocabulary() {
        return Err(GgufError::NoVocabulary);
    }
    tensors::read(&mut source, tensors, metadata.alignment()?)?;
    Ok(Facts {
        name: metadata.text("general.name").map(str::to_owned),
        licence: metadata.text("general.license").map(str::to_owned),
        context_length: metadata.integer(&format!("{architecture}.context_length")),
        cache_bytes_per_token: metadata.cache_bytes_per_token(&architecture),
    })
}
