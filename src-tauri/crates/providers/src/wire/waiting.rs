//! Calls and their results, paired: every wire refuses a call that nothing answers, and a result that
//! answers none. A conversation may hold both, because a person can stop an answer between the two,
//! or branch off there.

/// What a model is told in place of the result of a call that was never run.
pub(crate) const NOT_RUN: &str = "The tool was not run; the conversation went on without it.";

/// The calls that nothing has answered yet, in order, as a conversation is gone through.
#[derive(Debug, Default)]
pub(crate) struct Waiting<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Waiting<'a> {
    /// Notes a call by its id and its tool's name.
    pub(crate) fn call(&mut self, id: &'a str, name: &'a str) {
        self.0.push((id, name));
    }

    /// The tool whose call a result answers; `None` when no call waits for it.
    pub(crate) fn answer(&mut self, id: &str) -> Option<&'a str> {
        let place = self.0.iter().position(|(waiting, _)| *waiting == id)?;
        Some(self.0.remove(place).1)
    }

    /// The ids and the tools of the calls that will not be answered any more.
    pub(crate) fn give_up(&mut self) -> Vec<(&'a str, &'a str)> {
        std::mem::take(&mut self.0)
    }
}

/// A result that answers no call, as words.
pub(crate) fn stray(content: &str) -> String {
    format!("Result of a tool:\n{content}")
}
