//! What a provider says may repeat the key that it was sent. Nothing with the key in it leaves this
//! crate: a message is shown, stored and logged.

use protocol::Secret;

use super::Fault;

impl Fault {
    /// The same fault, no word of it holding the key.
    #[must_use]
    pub(crate) fn scrubbed(mut self, key: Option<&Secret<String>>) -> Self {
        if let Some(key) = key {
            self.message = scrub(&self.message, key);
            self.code = self.code.map(|code| scrub(&code, key));
            self.request_id = self.request_id.map(|id| scrub(&id, key));
            self.body = self.body.map(|body| scrub(&body, key).into_boxed_str());
        }
        self
    }
}

/// The text without the key. A text may have been cut inside it, so its beginning counts.
pub(crate) fn scrub(text: &str, key: &Secret<String>) -> String {
    let key = key.expose().trim();
    let Some(start) = key
        .get(..key.len().min(12))
        .filter(|start| start.len() >= 4)
    else {
        return text.to_owned();
    };
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(start) {
        clean.push_str(&rest[..at]);
        clean.push('…');
        let found = &rest[at..];
        let shared = found
            .bytes()
            .zip(key.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        rest = &found[shared..];
    }
    clean.push_str(rest);
    clean
}

#[cfg(test)]
mod tests {
    use protocol::Secret;

    use super::scrub;

    #[test]
    fn the_key_is_scrubbed_even_when_cut() {
        let key = Secret::new("sk-canary-0123456789".to_owned());
        for (text, clean) in [
            ("bad key sk-canary-0123456789.", "bad key …."),
            ("sk-canary-0123456789sk-canary-0123456789", "……"),
            ("cut: sk-canary-01234", "cut: …"),
            ("é sk-canary-01é", "é …é"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(scrub(text, &key), clean);
        }
        assert_eq!(scrub("ok", &Secret::new("k".to_owned())), "ok");
    }
}
