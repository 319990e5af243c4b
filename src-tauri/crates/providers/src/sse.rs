//! Server-sent events: bytes in, frames out, however the bytes were split.
//!
//! The framer follows the event stream format of the HTML standard (lines end with LF, CR or CRLF,
//! one BOM may lead, one space after the colon is dropped, unknown fields are skipped) and departs
//! from it twice: comments are surfaced, because they are a sign of life, and an event that the end
//! of the stream left without its blank line is given out by [`Framer::finish`], because some
//! servers end so. Lines and events have a size limit.

use crate::error::{ErrorKind, Fault};

/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 4 << 20;

/// The longest event, in bytes of data.
pub const MAX_EVENT_BYTES: usize = 16 << 20;

/// A piece of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event.
    Event {
        /// Its name; empty when the stream gave none.
        name: String,
        /// Its data, lines joined by line feeds.
        data: String,
    },
    /// A comment: a sign of life.
    Comment,
}

/// Why a stream is no event stream that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// A line exceeds [`MAX_LINE_BYTES`].
    #[error("a line of the answer is longer than {MAX_LINE_BYTES} bytes")]
    LineTooLong,
    /// An event exceeds [`MAX_EVENT_BYTES`].
    #[error("an event of the answer is longer than {MAX_EVENT_BYTES} bytes")]
    EventTooLong,
}

impl From<SseError> for Fault {
    fn from(error: SseError) -> Self {
        Self::new(
            ErrorKind::Interrupted,
            format!("{error}; continue it, or ask again"),
        )
        .with_code("too_large")
    }
}

/// Cuts bytes into frames.
#[derive(Debug, Default)]
pub struct Framer {
    line: Vec<u8>,
    /// Whether the last byte was a CR, so that an LF after it ends no further line.
    after_cr: bool,
    /// Whether a line was seen: only the first can start with a BOM.
    begun: bool,
    name: String,
    data: Option<String>,
}

impl Framer {
    /// A framer at the beginning of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes and appends the frames that they complete to `out`.
    ///
    /// # Errors
    /// When a size limit is exceeded; what was appended before is good, and nothing more can be read.
    pub fn push(&mut self, mut bytes: &[u8], out: &mut Vec<Frame>) -> Result<(), SseError> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_cr) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + piece.len() > MAX_LINE_BYTES {
                return Err(SseError::LineTooLong);
            }
            self.line.extend_from_slice(piece);
            let Some(end) = end else { return Ok(()) };
            self.after_cr = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if let Some(frame) = self.end_line()? {
                out.push(frame);
            }
        }
        Ok(())
    }

    /// Ends the stream and gives out an event that lacks its blank line. It may be cut short.
    pub fn finish(&mut self) -> Option<Frame> {
        if !self.line.is_empty() {
            self.end_line().ok()?;
        }
        self.take_event()
    }

    fn end_line(&mut self) -> Result<Option<Frame>, SseError> {
        let bytes = std::mem::take(&mut self.line);
        let mut line = bytes.as_slice();
        if !std::mem::replace(&mut self.begun, true) {
            line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        }
        let frame = match line.iter().position(|&byte| byte == b':') {
            _ if line.is_empty() => self.take_event(),
            Some(0) => Some(Frame::Comment),
            Some(colon) => {
                let value = &line[colon + 1..];
                self.field(&line[..colon], value.strip_prefix(b" ").unwrap_or(value))?;
                None
            }
            None => {
                self.field(line, b"")?;
                None
            }
        };
        self.line = bytes;
        self.line.clear();
        Ok(frame)
    }

    fn field(&mut self, name: &[u8], value: &[u8]) -> Result<(), SseError> {
        match name {
            b"data" => {
                let value = String::from_utf8_lossy(value);
                match &mut self.data {
                    Some(data) if data.len() + value.len() >= MAX_EVENT_BYTES => {
                        return Err(SseError::EventTooLong);
                    }
                    Some(data) => {
                        data.push('\n');
                        data.push_str(&value);
                    }
                    None => self.data = Some(value.into_owned()),
                }
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            _ => {}
        }
        Ok(())
    }

    fn take_event(&mut self) -> Option<Frame> {
        let name = std::mem::take(&mut self.name);
        self.data.take().map(|data| Frame::Event { name, data })
    }
}

#[cfg(test)]
mod tests {
    use pretty_assertions::assert_eq;
    use proptest::prelude::*;

    use super::{Frame, Framer, MAX_EVENT_BYTES, MAX_LINE_BYTES, SseError};

    fn event(name: &str, data: &str) -> Frame {
        Frame::Event {
            name: name.to_owned(),
            data: data.to_owned(),
        }
    }

    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Frame>, SseError> {
        let mut framer = Framer::new();
        let mut out = Vec::new();
        for piece in pieces {
            framer.push(piece, &mut out)?;
        }
        out.extend(framer.finish());
        Ok(out)
    }

    #[test]
    fn streams_are_cut_as_the_standard_says() {
        let cases: &[(&str, &[Frame])] = &[
            ("", &[]),
            ("\n\n\n", &[]),
            ("data: a\n\n", &[event("", "a")]),
            ("data:a\r\rdata:b\r\r", &[event("", "a"), event("", "b")]),
            (
                "data: a\r\n\r\ndata: b\r\n\r\n",
                &[event("", "a"), event("", "b")],
            ),
            (
                "data: a\r\n\ndata: b\n\r\n",
                &[event("", "a"), event("", "b")],
            ),
            ("\u{feff}data: a\n\n", &[event("", "a")]),
            ("data: a\n\n\u{feff}data: b\n\n", &[event("", "a")]),
            ("data:  two spaces\n\n", &[event("", " two spaces")]),
            ("data: a\ndata: b\ndata\n\n", &[event("", "a\nb\n")]),
            ("data\n\n", &[event("", "")]),
            ("event: ping\n\ndata: a\n\n", &[event("", "a")]),
            (
                "event: ping\ndata: {}\n\ndata: a\n\n",
                &[event("ping", "{}"), event("", "a")],
            ),
            (
                ": keep-alive\n\n:\ndata: a\n\n",
                &[Frame::Comment, Frame::Comment, event("", "a")],
            ),
            (
                "data: a\n: inside\ndata: b\n\n",
                &[Frame::Comment, event("", "a\nb")],
            ),
            (
                "id: 7\nretry: 5\nexecute: x\nDATA: y\ndata: a\n\n",
                &[event("", "a")],
            ),
            ("data: a:b: c\n\n", &[event("", "a:b: c")]),
            ("data: no blank line", &[event("", "no blank line")]),
            ("<html>\n<p>hello: you</p>\n\n", &[]),
            ("data: \u{1f41f}\u{0}é\n\n", &[event("", "\u{1f41f}\u{0}é")]),
        ];
        for (stream, expected) in cases {
            assert_eq!(
                &frames([stream.as_bytes()]).unwrap(),
                expected,
                "whole: {stream:?}"
            );
            let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(
                &frames(bytes).unwrap(),
                expected,
                "byte by byte: {stream:?}"
            );
        }
    }

    #[test]
    fn invalid_utf8_is_replaced_not_fatal() {
        let found = frames([b"data: a\xFF\xFEb\n\n".as_slice()]).unwrap();
        assert_eq!(found, [event("", "a\u{fffd}\u{fffd}b")]);
    }

    #[test]
    fn a_line_beyond_the_limit_ends_the_stream_after_what_came_before() {
        let mut framer = Framer::new();
        let mut out = Vec::new();
        framer.push(b"data: before\n\ndata: ", &mut out).unwrap();
        let flood = vec![b'x'; 64 << 10];
        let mut pushed = 0;
        let error = loop {
            match framer.push(&flood, &mut out) {
                Ok(()) => pushed += flood.len(),
                Err(error) => break error,
            }
            assert!(
                pushed <= MAX_LINE_BYTES,
                "the framer holds no more than the limit"
            );
        };
        assert_eq!(
            (error, out),
            (SseError::LineTooLong, vec![event("", "before")])
        );
    }

    #[test]
    fn an_event_of_many_lines_has_a_limit_too() {
        let line = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n"].concat();
        let lines = MAX_EVENT_BYTES / (1 << 20) + 1;
        let found = frames(std::iter::repeat_n(line.as_slice(), lines));
        assert_eq!(found, Err(SseError::EventTooLong));
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same_frames(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("data: ".to_owned()), Just("data:".to_owned()), Just("event: x".to_owned()),
                    Just("\n".to_owned()), Just("\r".to_owned()), Just("\r\n".to_owned()),
                    Just("\n\n".to_owned()), Just(": c".to_owned()), Just("\u{feff}".to_owned()),
                    "[a-z€🐟 :]{0,6}",
                ],
                0..40,
            ),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream = pieces.concat().into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            at.extend([0, stream.len()]);
            at.sort_unstable();
            let split = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
            prop_assert_eq!(frames(split), frames([stream.as_slice()]));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let whole = frames([bytes.as_slice()]).unwrap();
            prop_assert_eq!(frames(bytes.chunks(1)).unwrap(), whole);
        }
    }
}
