//! The table of tensors: every extent is computed, never believed.

use std::collections::HashSet;
use std::io::{Read, Seek};

use super::GgufError;
use super::kind::block;
use super::source::Source;

/// llama.cpp keeps names in 64 bytes with a terminator.
const MAX_NAME_BYTES: u64 = 63;
const MAX_DIMENSIONS: u32 = 4;
const MAX_SIZE: u64 = i64::MAX as u64;

/// Reads the table and holds it against the file's length.
pub(super) fn read<R: Read + Seek>(
    source: &mut Source<R>,
    count: u64,
    alignment: u64,
) -> Result<(), GgufError> {
    let mut names = HashSet::new();
    // Where the next tensor must begin, and where the last one ends without its padding.
    let mut next = 0_u64;
    let mut end = 0_u64;
    for _ in 0..count {
        let name = name(source)?;
        if names.contains(&name) {
            return Err(GgufError::DuplicateTensor(name));
        }
        let bytes = extent(source, &name)?;
        let offset = source.u64("the table of tensors")?;
        if offset != next {
            return Err(GgufError::Offset {
                tensor: name,
                offset,
                expected: next,
            });
        }
        let overflow = || GgufError::Overflow(name.clone());
        end = next
            .checked_add(bytes)
            .filter(|&end| end <= MAX_SIZE)
            .ok_or_else(overflow)?;
        next = end
            .checked_next_multiple_of(alignment)
            .ok_or_else(overflow)?;
        names.insert(name);
    }
    let start = source.position().next_multiple_of(alignment);
    let too_short = |expected| GgufError::TooShort {
        actual: source.length(),
        expected,
    };
    let padded = start.checked_add(next).ok_or(too_short(u64::MAX))?;
    let bare = start.checked_add(end).ok_or(too_short(u64::MAX))?;
    if source.length() == padded || source.length() == bare {
        Ok(())
    } else if source.length() < padded {
        Err(too_short(padded))
    } else {
        Err(GgufError::TooLong {
            actual: source.length(),
            expected: padded,
        })
    }
}

fn name<R: Read + Seek>(source: &mut Source<R>) -> Result<String, GgufError> {
    let length = source.u64("the table of tensors")?;
    match length {
        0 => return Err(GgufError::EmptyTensorName),
        1..=MAX_NAME_BYTES => {}
        _ => return Err(GgufError::TensorNameTooLong(length)),
    }
    String::from_utf8(source.bytes(length, "the table of tensors")?)
        .map_err(|_| GgufError::NotText("table of tensors"))
}

/// A tensor's bytes.
fn extent<R: Read + Seek>(source: &mut Source<R>, name: &str) -> Result<u64, GgufError> {
    const WHAT: &str = "the table of tensors";
    let tensor = || name.to_owned();
    let count = source.u32(WHAT)?;
    if !(1..=MAX_DIMENSIONS).contains(&count) {
        return Err(GgufError::Dimensions {
            tensor: tensor(),
            count,
        });
    }
    let mut row = 1;
    let mut numbers = 1_u64;
    for dimension in 0..count {
        let size = source.u64(WHAT)?;
        if size == 0 || size > MAX_SIZE {
            return Err(GgufError::Dimension {
                tensor: tensor(),
                size,
            });
        }
        if dimension == 0 {
            row = size;
        }
        numbers = numbers
            .checked_mul(size)
            .filter(|&numbers| numbers <= MAX_SIZE)
            .ok_or_else(|| GgufError::Overflow(tensor()))?;
    }
    let kind = source.u32(WHAT)?;
    let block = block(kind).ok_or_else(|| GgufError::UnknownTensorKind {
        tensor: tensor(),
        kind,
    })?;
    if row % block.numbers != 0 {
        return Err(GgufError::PartialBlock {
            tensor: tensor(),
            row,
            block: block.numbers,
        });
    }
    let bytes = (numbers / block.numbers)
        .checked_mul(block.bytes)
        .filter(|&bytes| bytes <= MAX_SIZE)
        .ok_or_else(|| GgufError::Overflow(tensor()))?;
    Ok(bytes)
}
