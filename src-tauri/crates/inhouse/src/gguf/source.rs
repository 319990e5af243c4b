//! A reader that knows how much is left, so that nothing is asked for that the file cannot hold.

use std::io::{ErrorKind, Read, Seek};

use super::GgufError;

pub(super) struct Source<R> {
    reader: R,
    position: u64,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(super) const fn new(reader: R, length: u64) -> Self {
        Self {
            reader,
            position: 0,
            length,
        }
    }

    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    /// Makes sure that `count` more bytes are there.
    fn need(&self, count: u64, what: &'static str) -> Result<u64, GgufError> {
        match self.position.checked_add(count) {
            Some(end) if end <= self.length => Ok(end),
            _ => Err(GgufError::Truncated(what)),
        }
    }

    fn fill(&mut self, buffer: &mut [u8], what: &'static str) -> Result<(), GgufError> {
        let end = self.need(buffer.len() as u64, what)?;
        // The file may have been cut since its length was read.
        self.reader
            .read_exact(buffer)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => GgufError::Truncated(what),
                _ => GgufError::Io(error),
            })?;
        self.position = end;
        Ok(())
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], GgufError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// `count` bytes, which the caller has bounded.
    pub(super) fn bytes(&mut self, count: u64, what: &'static str) -> Result<Vec<u8>, GgufError> {
        self.need(count, what)?;
        let size = usize::try_from(count).map_err(|_| GgufError::Truncated(what))?;
        let mut bytes = vec![0; size];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    pub(super) fn skip(&mut self, count: u64, what: &'static str) -> Result<(), GgufError> {
        let end = self.need(count, what)?;
        let offset = i64::try_from(count).map_err(|_| GgufError::Truncated(what))?;
        self.reader.seek_relative(offset)?;
        self.position = end;
        Ok(())
    }
}
