//! A server that means harm: what it sends is text or nothing, and never more than the limits.

use providers::ErrorKind as K;

use super::*;

pub(crate) fn cases(dialect: &Dialect) -> Vec<Case> {
    let text = dialect.text;
    let begun = dialect.begun(HELLO);
    let says =
        |name, said: &str| Case::new(name, stream(dialect.saying(said)), End::Whole).keeping(said);
    let between = |name, event: &str| {
        let body = begun.clone() + event + &dialect.end;
        Case::new(name, stream(body), End::Whole).keeping(HELLO)
    };
    let flood = |name, body: Vec<u8>| {
        let steps = stream([begun.as_bytes(), &body].concat());
        Case::new(name, steps, broken(K::Interrupted, "too_large")).keeping(HELLO)
    };
    let letters = "x".repeat(1 << 20);
    let deep = format!("data: {}\n\n", "{\"a\":".repeat(100_000));
    let filler = "fish ".repeat(200);
    let endless = begun.clone() + &text(&filler).repeat(100);
    let fitting = ((64 << 10) - begun.len()) / text(&filler).len();
    vec![
        says(
            "markup in the text",
            "<script>alert(1)</script><img src=x onerror=y>",
        ),
        says(
            "a terminal's commands in the text",
            "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m",
        ),
        says("NUL in the text", "a\u{0}b\u{0}"),
        says(
            "letters that turn the text",
            "a\u{202e}b\u{2066}c\u{200b}\u{feff}",
        ),
        says(
            "a text that looks like an event",
            "\n\ndata: [DONE]\n\nevent: error\n\n",
        ),
        says("a text of a megabyte", &letters),
        between(
            "an event named execute",
            "event: execute\ndata: alert(1)\n\n",
        ),
        between(
            "an event named execute, in JSON",
            "event: execute\ndata: {\"type\":\"execute\",\"code\":\"alert(1)\"}\n\n",
        ),
        between(
            "an event with a name of a megabyte",
            &format!("event: {letters}\ndata: x\n\n"),
        ),
        between(
            "an event named after a prototype",
            "event: __proto__\ndata: {\"__proto__\":{\"a\":1}}\n\n",
        ),
        between("a hundred thousand comments", &": x\n".repeat(100_000)),
        between("a field of a megabyte", &format!("{letters}: x\n\n")),
        Case::new(
            "invalid UTF-8 in the text",
            {
                let good = dialect.saying("a#b").into_bytes();
                let at = good.iter().position(|byte| *byte == b'#').unwrap();
                let bad = [&good[..at], b"\xff\xc3", &good[at + 1..]].concat();
                stream(bad)
            },
            End::Whole,
        )
        .keeping("a\u{fffd}\u{fffd}b"),
        Case::new(
            "an event that lies deep",
            stream(begun.clone() + &deep + &dialect.end),
            failed(K::Interrupted),
        )
        .keeping(HELLO),
        Case::new(
            "a call by a name that is none",
            stream(begun.clone() + &dialect.odd_call + &dialect.end),
            failed(K::Interrupted),
        )
        .keeping(HELLO),
        flood(
            "a text of ten megabytes",
            text(&letters.repeat(10)).into_bytes(),
        ),
        flood(
            "a line without an end",
            [b"data: ", letters.repeat(5).as_bytes()].concat(),
        ),
        flood(
            "a comment without an end",
            [b": ", letters.repeat(5).as_bytes()].concat(),
        ),
        flood("NUL without an end", vec![0; 5 << 20]),
        flood(
            "an event of lines without an end",
            format!("data: {letters}\n").repeat(17).into_bytes(),
        ),
        Case {
            text: HELLO.to_owned(),
            ..Case::new(
                "comments beyond the limit",
                stream(begun.clone() + &": x\n\n".repeat(40_000)),
                broken(K::Interrupted, "too_large"),
            )
            .in_haste(Haste::Bytes)
        },
        Case::new(
            "an answer beyond the limit",
            stream(endless),
            broken(K::Interrupted, "too_large"),
        )
        .in_haste(Haste::Bytes)
        .keeping(HELLO.to_owned() + &filler.repeat(fitting)),
        Case::new(
            "cookies and an upgrade that nobody asked for",
            vec![send(
                STREAM.replace("\r\n\r\n", "\r\nset-cookie: a=b\r\nupgrade: h2c\r\n\r\n")
                    + &dialect.saying(HELLO),
            )],
            End::Whole,
        )
        .keeping(HELLO),
        Case::new(
            "a switch of protocols",
            vec![send(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
            )],
            End::Broken(K::Unknown, None),
        ),
    ]
}
