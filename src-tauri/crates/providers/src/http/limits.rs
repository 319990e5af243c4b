//! How long and how much is waited for. Long reasoning is silent: a limit that ended it would lose an
//! answer that is paid for. What is dead is found out sooner, by asking the connection itself.

use std::time::Duration;

use super::Retries;

/// How long is waited for what, and how much is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// To connect, TLS included.
    pub connect: Duration,
    /// How often an HTTP/2 connection is asked whether it lives while an answer is awaited, and for
    /// how long that is waited for. Other connections are asked by the system.
    pub alive: Duration,
    /// From the request to the head of the answer, and from there to its first event: some servers
    /// send the head before they have read the prompt.
    pub headers: Duration,
    /// The same for a server on this machine, which may first load its model and read the prompt.
    pub headers_local: Duration,
    /// From the request for a list to its head.
    pub headers_list: Duration,
    /// From a head to the end of a body that is no answer: a list, or an error.
    pub body: Duration,
    /// Between two pieces of a body; comments and pings count as pieces.
    pub idle: Duration,
    /// Between two events of an answer, however many comments and pings come between them; and for
    /// the whole body of an answer that does not stream.
    pub eventless: Duration,
    /// For what may follow the end of an answer: the usage, and the end of the stream.
    pub closing: Duration,
    /// The most bytes of one answer on the wire, unpacked. A delta of three bytes takes some 300.
    pub answer_bytes: usize,
    /// When a request is sent again.
    pub retries: Retries,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            alive: Duration::from_secs(30),
            headers: Duration::from_secs(960),
            headers_local: Duration::from_secs(960),
            headers_list: Duration::from_secs(20),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(960),
            eventless: Duration::from_secs(3_600),
            closing: Duration::from_secs(5),
            answer_bytes: 256 << 20,
            retries: Retries::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Limits;

    #[test]
    fn long_reasoning_is_waited_for() {
        let limits = Limits::default();
        let silences = [limits.headers, limits.headers_local, limits.idle];
        assert!(
            silences
                .iter()
                .all(|limit| *limit >= Duration::from_secs(900))
        );
        assert!(limits.eventless > limits.idle && limits.alive < Duration::from_secs(60));
    }
}
