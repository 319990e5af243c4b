//! Faults of a whole body with success: what it claims to be, how it is packed, and how long it is.

use providers::ErrorKind as K;

use super::*;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

pub(crate) fn cases(dialect: &Dialect) -> Vec<Case> {
    let good = dialect.saying(HELLO);
    let begun = dialect.begun(HELLO);
    let typed = |name, kind: &str, body: &str, end| {
        let head = format!("200 OK\r\ncontent-type: {kind}");
        Case::new(name, reply(&head, body), end)
    };
    let streamed = |headers: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream{headers}"
        );
        vec![send([head.as_bytes(), b"\r\n\r\n", body].concat())]
    };
    let lost = || broken(K::Interrupted, "connection_lost");
    let no_answer = || broken(K::Unknown, "no_answer");
    let packed = "\r\ncontent-encoding: gzip";
    let chunked = "\r\ntransfer-encoding: chunked";
    let piece = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    vec![
        typed(
            "a web page with success",
            "text/html",
            "<!doctype html><title>Log in</title><script>alert(1)</script>",
            no_answer(),
        ),
        typed(
            "a web page that claims to be a stream",
            "text/event-stream",
            "<html>\n<p>data: no</p>\n\n</html>",
            failed(K::Interrupted),
        ),
        typed(
            "JSON of something else",
            "application/json",
            "{}",
            no_answer(),
        ),
        typed(
            "JSON that is a list",
            "application/json",
            "[1,2]",
            no_answer(),
        ),
        typed(
            "JSON cut in half",
            "application/json",
            "{\"candi",
            no_answer(),
        ),
        typed(
            "JSON that lies deep",
            "application/json",
            &"[".repeat(200_000),
            no_answer(),
        ),
        typed("an empty body", "application/json", "", no_answer()),
        Case::new("no body at all", reply("204 No Content", ""), no_answer()),
        typed(
            "an empty stream",
            "text/event-stream",
            "",
            failed(K::Interrupted),
        ),
        typed(
            "an error with success",
            "application/json",
            &dialect.overloaded.1.to_string(),
            failed(K::Overloaded),
        ),
        typed(
            "a stream that claims to be text",
            "text/plain",
            &good,
            End::Whole,
        )
        .keeping(HELLO),
        typed(
            "a stream that claims to be JSON",
            "application/json",
            &good,
            End::Whole,
        )
        .keeping(HELLO),
        typed(
            "a cut stream that claims to be JSON",
            "application/json",
            &begun,
            failed(K::Interrupted),
        )
        .keeping(HELLO),
        Case::new(
            "a stream that claims nothing",
            reply("200 OK", &good),
            End::Whole,
        )
        .keeping(HELLO),
        typed(
            "a stream in other letters",
            "Text/Event-Stream; charset=latin1",
            &good,
            End::Whole,
        )
        .keeping(HELLO),
        Case::new(
            "JSON of nine megabytes",
            reply(
                "200 OK\r\ncontent-type: application/json",
                "x".repeat(9 << 20),
            ),
            broken(K::Unknown, "too_large"),
        ),
        Case::new(
            "JSON that never ends",
            vec![
                send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"id\":"),
                Step::Hang,
            ],
            broken(K::Interrupted, "timeout"),
        )
        .in_haste(Haste::Eventless),
        Case::new(
            "a packed stream",
            streamed(packed, &gzip(good.as_bytes())),
            End::Whole,
        )
        .keeping(HELLO),
        Case::new(
            "a packed stream that is cut",
            {
                let whole = gzip(good.as_bytes());
                streamed(packed, &whole[..whole.len() - 12])
            },
            lost(),
        )
        .keeping(HELLO),
        Case::new(
            "a stream that claims to be packed",
            streamed(packed, good.as_bytes()),
            lost(),
        ),
        Case::new(
            "a stream packed in a way that was not asked for",
            streamed("\r\ncontent-encoding: br", b"\x0b\x02\x80hello\x03"),
            failed(K::Interrupted),
        ),
        Case::new(
            "a bomb in a stream",
            streamed(packed, &server::gzip_of_zeros(16 << 20)),
            broken(K::Interrupted, "too_large"),
        ),
        Case::new(
            "a bomb in JSON",
            reply(
                "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip",
                server::gzip_of_zeros(16 << 20),
            ),
            broken(K::Unknown, "too_large"),
        ),
        Case::new(
            "a bomb in an error",
            reply(
                "400 Odd\r\ncontent-encoding: gzip",
                server::gzip_of_zeros(16 << 20),
            ),
            failed(K::InvalidRequest),
        ),
        Case::new(
            "fewer bytes than promised",
            streamed("\r\ncontent-length: 99999", begun.as_bytes()),
            lost(),
        )
        .keeping(HELLO),
        Case::new(
            "more bytes than promised",
            streamed(
                &format!("\r\ncontent-length: {}", begun.len()),
                good.as_bytes(),
            ),
            failed(K::Interrupted),
        )
        .keeping(HELLO),
        Case::new(
            "in pieces",
            streamed(
                chunked,
                (piece(&begun) + &piece(&dialect.end) + "0\r\n\r\n").as_bytes(),
            ),
            End::Whole,
        )
        .keeping(HELLO),
        Case::new(
            "in pieces of which the last is missing",
            streamed(chunked, piece(&begun).as_bytes()),
            lost(),
        )
        .keeping(HELLO),
        Case::new(
            "in pieces, one of a length that is none",
            streamed(chunked, (piece(&begun) + "zz\r\n").as_bytes()),
            lost(),
        )
        .keeping(HELLO),
        Case::new(
            "in pieces, one longer than the world",
            streamed(
                chunked,
                (piece(&begun) + "fffffffffffffffff\r\n").as_bytes(),
            ),
            lost(),
        )
        .keeping(HELLO),
    ]
}
