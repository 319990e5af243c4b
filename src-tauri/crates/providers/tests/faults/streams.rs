//! Faults inside a stream: where it is cut, how it stalls, how it is framed, and what comes in it.

use providers::ErrorKind as K;

use super::*;

pub(crate) fn cases(dialect: &Dialect) -> Vec<Case> {
    let text = dialect.text;
    let good = dialect.saying(HELLO);
    let begun = dialect.begun(HELLO);
    let whole = |name, body: String| Case::new(name, stream(body), End::Whole).keeping(HELLO);
    let cut =
        |name, body: String| Case::new(name, stream(body), failed(K::Interrupted)).keeping(HELLO);
    let then = |name, steps: Vec<Step>, end| {
        Case::new(name, [stream(&begun), steps].concat(), end).keeping(HELLO)
    };
    let late = || broken(K::Interrupted, "timeout");
    let next = text("more");
    let half = &next[..next.len() / 2];
    // In the midst of the second letter that takes more than a byte.
    let accent = (text("é").find('é').unwrap() + 1, text("é"));
    let bytes =
        |text: &str| -> Vec<Step> { text.as_bytes().iter().map(|byte| send([*byte])).collect() };
    let crlf = good.replace('\n', "\r\n");
    let spread = text(HELLO).replacen("{", "{\ndata: ", 1);
    vec![
        // Cuts.
        cut("a cut after the text", begun.clone()),
        cut("a cut inside an event", begun.clone() + half),
        cut("a cut before the blank line", begun.clone() + "data: {"),
        Case::new(
            "a cut inside a letter",
            stream([begun.as_bytes(), &accent.1.as_bytes()[..accent.0]].concat()),
            failed(K::Interrupted),
        )
        .keeping(HELLO),
        cut(
            "an end without its terminal event",
            begun.clone() + &dialect.half_end,
        ),
        Case::new(
            "a cut before the text",
            stream(&dialect.opening),
            failed(K::Interrupted),
        ),
        then(
            "a reset after the text",
            vec![Step::Wait, Step::Reset],
            failed(K::Interrupted),
        ),
        cut(
            "a call whose arguments are cut in half",
            begun.clone() + &dialect.half_call,
        ),
        // Stalls.
        then("a stall after the text", vec![Step::Hang], late()).in_haste(Haste::Idle),
        then(
            "a stall inside an event",
            vec![send(half), Step::Hang],
            late(),
        )
        .in_haste(Haste::Idle),
        Case::new(
            "a stall before the first event",
            [stream(""), vec![Step::Hang]].concat(),
            late(),
        )
        .in_haste(Haste::Headers),
        then("comments without end", trickle(": alive\n\n"), late()).in_haste(Haste::Eventless),
        then("a byte now and then", trickle("x"), late()).in_haste(Haste::Eventless),
        Case::new(
            "comments without end before the first event",
            [stream(""), trickle(":\n\n")].concat(),
            late(),
        )
        .in_haste(Haste::Eventless),
        Case::new(
            "a stream that stays open after its end",
            [stream(&good), vec![Step::Hang]].concat(),
            End::Whole,
        )
        .keeping(HELLO)
        .in_haste(Haste::Closing),
        then(
            "signs of life between pauses",
            [
                vec![
                    Step::Silence(Duration::from_millis(40)),
                    send(": alive\n\n"),
                ],
                vec![
                    Step::Silence(Duration::from_millis(40)),
                    send(dialect.ping.as_str()),
                ],
                vec![
                    Step::Silence(Duration::from_millis(40)),
                    send(dialect.end.as_str()),
                ],
            ]
            .concat(),
            End::Whole,
        )
        .in_haste(Haste::Headers),
        Case::new(
            "a byte at a time",
            [vec![send(STREAM)], bytes(&good)].concat(),
            End::Whole,
        )
        .keeping(HELLO),
        // Framing.
        whole("CRLF", crlf.clone()),
        whole("CR", good.replace('\n', "\r")),
        whole("lines of all kinds", crlf.replacen("\r\n", "\n", 3)),
        whole("a byte order mark", "\u{feff}".to_owned() + &good),
        whole("a comment first", ": hello\n\n".to_owned() + &good),
        whole("no space after the colon", good.replace(": {", ":{")),
        whole("ids and retries", "id: 7\nretry: 1\n\n".to_owned() + &good),
        whole(
            "data on several lines",
            dialect.opening.clone() + &spread + &dialect.end,
        ),
        whole("no blank line at the end", good.trim_end().to_owned()),
        whole("blank lines all over", good.replace("\n\n", "\n\n\n\n\n")),
        whole(
            "a field that nobody knows",
            "execute: rm\n\n".to_owned() + &good,
        ),
        // Content.
        whole("no more than the end", good.clone()),
        whole("what may follow the end", good.clone() + &dialect.after),
        whole(
            "the end twice",
            good.clone() + &dialect.end + &dialect.after + &dialect.after,
        ),
        whole(
            "text after the last end",
            good.clone() + &dialect.after + &dialect.after,
        ),
        whole(
            "the usage alone",
            begun.clone() + &dialect.usage + &dialect.end,
        ),
        whole(
            "signs of life",
            begun.clone() + &dialect.ping + &dialect.ping + &dialect.end,
        ),
        whole(
            "an event without data",
            begun.clone() + "event: message\n\n" + &dialect.end,
        ),
        whole(
            "an event with empty data",
            begun.clone() + "data:\n\n" + &dialect.end,
        ),
        whole(
            "an event that is null",
            begun.clone() + "data: null\n\n" + &dialect.end,
        ),
        whole(
            "an event of a new kind",
            begun.clone() + &dialect.unknown + &dialect.end,
        ),
        whole(
            "wrong types beside the answer",
            begun.clone() + &dialect.wrong_rest + &dialect.end,
        ),
        cut(
            "a text that is a number",
            begun.clone() + &dialect.wrong_text + &dialect.end,
        ),
        cut(
            "an event that is no JSON",
            begun.clone() + "data: oops\n\n" + &dialect.end,
        ),
        cut(
            "an event that is a list",
            begun.clone() + "data: [1]\n\n" + &dialect.end,
        ),
        // Errors.
        Case::new(
            "busy in the midst of the answer",
            stream(begun.clone() + &dialect.busy),
            failed(K::Overloaded),
        )
        .keeping(HELLO),
        Case::new(
            "too many requests in the midst of the answer",
            stream(begun.clone() + &dialect.limited),
            failed(K::RateLimited),
        )
        .keeping(HELLO)
        .waiting(Duration::from_secs(7)),
        Case::new(
            "busy before the answer",
            stream(dialect.busy.as_bytes()),
            failed(K::Overloaded),
        ),
        Case::new(
            "an error as a gateway words it",
            stream(begun.clone() + "data: {\"error\":{\"code\":502,\"message\":\"gone\"}}\n\n"),
            failed(K::Overloaded),
        )
        .keeping(HELLO),
        Case::new(
            "an error event that says nothing",
            stream(begun.clone() + "event: error\ndata: {}\n\n"),
            failed(K::Unknown),
        )
        .keeping(HELLO),
        Case::new(
            "an error event that is no JSON",
            stream(begun.clone() + "event: error\ndata: out of memory\n\n"),
            failed(K::Unknown),
        )
        .keeping(HELLO),
        Case::new(
            "an error event that repeats the key",
            stream(begun.clone() + "event: error\ndata: " + CANARY + "\n\n"),
            failed(K::Unknown),
        )
        .keeping(HELLO),
    ]
}
