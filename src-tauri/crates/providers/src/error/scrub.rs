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

/// The text without the key, in whichever case its letters are: a host's name is told in small ones.
/// A text may have been cut inside the key, so its beginning counts.
pub(crate) fn scrub(text: &str, key: &Secret<String>) -> String {
    let key = key.expose().trim().to_ascii_lowercase();
    let Some(start) = key
        .get(..key.len().min(12))
        .filter(|start| start.len() >= 4)
    else {
        return text.to_owned();
    };
    // ASCII letters keep their length, so what is found there is here at the same place.
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut done = 0;
    while let Some(at) = lower[done..].find(start) {
        clean.push_str(&text[done..done + at]);
        clean.push('…');
        done += at;
        let shared = lower[done..]
            .bytes()
            .zip(key.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        done += shared;
        while !text.is_char_boundary(done) {
            done += 1;
        }
    }
    clean.push_str(&text[done..]);
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
            ("http://SK-Canary-0123456789.example", "http://….example"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(scrub(text, &key), clean);
        }
        let odd = Secret::new("sk-canary-01é".to_owned());
        assert_eq!(scrub("a sk-canary-01è!", &odd), "a …!");
        assert_eq!(scrub("ok", &Secret::new("k".to_owned())), "ok");
    }
}
