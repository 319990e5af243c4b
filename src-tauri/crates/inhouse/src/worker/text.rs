//! From token bytes to text: characters are put together across tokens, and what may be the
//! beginning of a stop text is held back until it is known to be none.

/// An answer's text as it comes.
pub(super) struct TextStream {
    stops: Vec<String>,
    bytes: Vec<u8>,
    held: String,
}

/// What a token added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    /// Text that can be shown.
    pub(super) text: String,
    /// Whether a stop text was met; it and what follows it are dropped.
    pub(super) stopped: bool,
}

impl TextStream {
    pub(super) const fn new(stops: Vec<String>) -> Self {
        Self {
            stops,
            bytes: Vec::new(),
            held: String::new(),
        }
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> Step {
        self.bytes.extend_from_slice(piece);
        self.take_characters();
        if let Some(at) = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop))
            .min()
        {
            self.held.truncate(at);
            return Step {
                text: std::mem::take(&mut self.held),
                stopped: true,
            };
        }
        let keep = self.open_stop();
        let rest = self.held.split_off(self.held.len() - keep);
        Step {
            text: std::mem::replace(&mut self.held, rest),
            stopped: false,
        }
    }

    /// What was held back, when nothing more comes. Half a character is dropped.
    pub(super) fn finish(&mut self) -> String {
        self.bytes.clear();
        std::mem::take(&mut self.held)
    }

    /// Moves whole characters from the bytes to the text; bytes that can be none become U+FFFD.
    fn take_characters(&mut self) {
        loop {
            match std::str::from_utf8(&self.bytes) {
                Ok(text) => {
                    self.held.push_str(text);
                    self.bytes.clear();
                    return;
                }
                Err(error) => {
                    let valid = error.valid_up_to();
                    self.held
                        .push_str(&String::from_utf8_lossy(&self.bytes[..valid]));
                    let Some(broken) = error.error_len() else {
                        self.bytes.drain(..valid);
                        return;
                    };
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    self.bytes.drain(..valid + broken);
                }
            }
        }
    }

    /// Bytes at the end of the held text that may begin a stop text.
    fn open_stop(&self) -> usize {
        let held = self.held.as_bytes();
        self.stops
            .iter()
            .filter_map(|stop| {
                let longest = held.len().min(stop.len() - 1);
                (1..=longest)
                    .rev()
                    .find(|&n| stop.is_char_boundary(n) && held.ends_with(&stop.as_bytes()[..n]))
            })
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::TextStream;

    fn run(pieces: &[&[u8]], stops: &[&str]) -> (String, bool) {
        let mut stream = TextStream::new(stops.iter().map(|&stop| stop.to_owned()).collect());
        let mut text = String::new();
        for piece in pieces {
            let step = stream.push(piece);
            text.push_str(&step.text);
            if step.stopped {
                return (text, true);
            }
        }
        text.push_str(&stream.finish());
        (text, false)
    }

    #[test]
    fn characters_are_put_together_across_tokens() {
        let fish = "🐟".as_bytes();
        assert_eq!(
            run(&[b"a", &fish[..1], &fish[1..3], &fish[3..], b"b"], &[]).0,
            "a🐟b"
        );
        assert_eq!(run(&[b"a\xff", b"b", &fish[..2]], &[]).0, "a\u{fffd}b");
    }

    #[test]
    fn the_beginning_of_a_stop_text_is_held_back() {
        let mut stream = TextStream::new(vec!["END".to_owned(), "NDX".to_owned()]);
        assert_eq!(stream.push(b"one E").text, "one ");
        assert_eq!(stream.push(b"N").text, "");
        assert_eq!(stream.push(b"!").text, "EN!");
        let step = stream.push(b"two END three");
        assert_eq!((step.text.as_str(), step.stopped), ("two ", true));
    }

    #[test]
    fn an_unfinished_stop_text_is_given_at_the_end() {
        assert_eq!(
            run(&[b"one E", b"N"], &["END"]),
            ("one EN".to_owned(), false)
        );
    }

    proptest! {
        #[test]
        fn every_split_gives_the_same_text(text in "[abé🐟]{0,40}", cut in 1_usize..5) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let stops = ["ab", "é🐟"];
            prop_assert_eq!(run(&pieces, &stops), run(&[text.as_bytes()], &stops));
        }
    }
}
