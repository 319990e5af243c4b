//! Faults that the server names: every status, and what each wire says with it.

use providers::ErrorKind as K;
use serde_json::Value;

use super::*;

/// An error with this status line and headers, and a body in JSON.
fn error(head: &str, body: impl ToString) -> Vec<Step> {
    reply(
        &format!("{head}\r\ncontent-type: application/json"),
        body.to_string(),
    )
}

/// The wire's own error.
fn own((status, body): &(u16, Value)) -> Vec<Step> {
    error(&format!("{status} Odd"), body)
}

pub(crate) fn cases(dialect: &Dialect) -> Vec<Case> {
    let good = dialect.saying(HELLO);
    let case = |name, steps, kind| Case::new(name, steps, failed(kind));
    let bare = |name, head: &str, kind| Case::new(name, reply(head, ""), failed(kind));
    let limited = |name, headers: &str| {
        let head = format!("429 Too Many Requests{headers}");
        Case::new(name, error(&head, ""), failed(K::RateLimited))
    };
    let moved = |name, status: u16| {
        let head = format!("{status} Moved\r\nlocation: http://127.0.0.1:9/v1/elsewhere");
        Case::new(
            name,
            reply(&head, ""),
            broken(K::InvalidRequest, "redirect"),
        )
    };
    let seconds = Duration::from_secs;
    vec![
        bare("400 without a word", "400 Bad Request", K::InvalidRequest),
        bare("401 without a word", "401 Unauthorized", K::Auth),
        bare("402 without a word", "402 Payment Required", K::Quota),
        bare("403 without a word", "403 Forbidden", K::Auth),
        case(
            "403 for a country",
            error(
                "403 Forbidden",
                r#"{"error":{"message":"not in your region"}}"#,
            ),
            K::InvalidRequest,
        ),
        case(
            "403 of a guard before the server",
            reply(
                "403 Forbidden",
                "<html><title>Just a moment...</title></html>",
            ),
            K::InvalidRequest,
        ),
        bare("404 without a word", "404 Not Found", K::NotFound),
        bare("405 without a word", "405 Method Not Allowed", K::NotFound),
        bare(
            "407 of a proxy",
            "407 Proxy Authentication Required",
            K::Network,
        ),
        bare("408", "408 Request Timeout", K::Overloaded).thrice(),
        bare("409", "409 Conflict", K::Overloaded).thrice(),
        bare("410", "410 Gone", K::NotFound),
        bare("413", "413 Content Too Large", K::ContextOverflow),
        bare("418", "418 I'm a teapot", K::InvalidRequest),
        case(
            "422 with a list of fields",
            error("422 Odd", r#"{"detail":[{"loc":["body","x"],"msg":"no"}]}"#),
            K::InvalidRequest,
        ),
        limited("429 without a word", "").thrice(),
        limited("429 with a wait of a moment", "\r\nretry-after-ms: 2")
            .thrice()
            .waiting(Duration::from_millis(2)),
        limited("429 with a wait in seconds", "\r\nretry-after: 3600").waiting(seconds(3_600)),
        limited(
            "429 with a date that is past",
            "\r\nretry-after: Wed, 21 Oct 2015 07:28:00 GMT",
        )
        .thrice()
        .waiting(Duration::ZERO),
        limited("429 with a wait that is none", "\r\nretry-after: soon").thrice(),
        limited("429 with a wait of ages", "\r\nretry-after: 1e18").thrice(),
        limited("429 with a reset", "\r\nx-ratelimit-reset-tokens: 6m0s").waiting(seconds(360)),
        limited("429 that forbids another try", "\r\nx-should-retry: false"),
        bare(
            "400 that wants another try",
            "400 Odd\r\nx-should-retry: true",
            K::InvalidRequest,
        )
        .thrice(),
        bare("451", "451 Unavailable For Legal Reasons", K::Refused),
        bare("500", "500 Internal Server Error", K::Overloaded).thrice(),
        bare("501", "501 Not Implemented", K::InvalidRequest).thrice(),
        case(
            "502 with a web page",
            reply(
                "502 Bad Gateway",
                "<html><h1>502</h1><script>alert(1)</script>",
            ),
            K::Overloaded,
        )
        .thrice(),
        bare("503", "503 Service Unavailable", K::Overloaded).thrice(),
        bare("504", "504 Gateway Timeout", K::Overloaded).thrice(),
        bare("529", "529 Overloaded", K::Overloaded).thrice(),
        bare("599", "599 Odd", K::Overloaded).thrice(),
        bare("a status beyond all", "799 Odd", K::Unknown),
        Case {
            place: Place::Here(vec![
                error("429 Too Many Requests\r\nretry-after: 0", ""),
                error("500 Odd", ""),
                stream(&good),
            ]),
            requests: Some(3),
            ..Case::new("a server that gets well", vec![], End::Whole).keeping(HELLO)
        },
        case(
            "a bad key, as this wire says it",
            own(&dialect.bad_key),
            K::Auth,
        ),
        case(
            "no credit, as this wire says it",
            own(&dialect.no_credit),
            K::Quota,
        ),
        case(
            "too long, as this wire says it",
            own(&dialect.too_long),
            K::ContextOverflow,
        ),
        case(
            "a filter, as this wire says it",
            own(&dialect.declined),
            K::Refused,
        ),
        case(
            "no such model, as this wire says it",
            own(&dialect.no_model),
            K::NotFound,
        ),
        case(
            "a parameter too many, as this wire says it",
            own(&dialect.unsupported),
            K::InvalidRequest,
        ),
        case(
            "busy, as this wire says it",
            own(&dialect.overloaded),
            K::Overloaded,
        )
        .thrice(),
        case(
            "an error that repeats the key",
            error(
                &format!("401 Odd\r\nx-request-id: {CANARY}"),
                format!("{{\"error\":{{\"code\":\"{CANARY}\",\"message\":\"bad {CANARY}\"}}}}"),
            ),
            K::Auth,
        ),
        case(
            "an error of a shape that nobody knows",
            error("400 Odd", r#"[[{"oops":[null,{"why":"x"}]}]]"#),
            K::InvalidRequest,
        ),
        case(
            "an error of wrong types",
            error(
                "400 Odd",
                r#"{"error":{"message":[1],"code":{"a":[]},"type":7,"status":-1,"details":[[]]}}"#,
            ),
            K::InvalidRequest,
        ),
        case(
            "an error of ten megabytes",
            error(
                "400 Odd",
                format!("{{\"error\":\"{}\"}}", "x".repeat(10 << 20)),
            ),
            K::InvalidRequest,
        ),
        case(
            "an error without an end",
            vec![
                send("HTTP/1.1 503 Odd\r\ncontent-length: 99\r\n\r\n{\"err"),
                Step::Hang,
            ],
            K::Overloaded,
        )
        .thrice()
        .in_haste(Haste::Body),
        moved("301 to another server", 301),
        moved("302 to another server", 302),
        moved("303 to another server", 303),
        moved("307 to another server", 307),
        moved("308 to another server", 308),
        Case::new(
            "307 to itself for ever",
            reply("307 Moved\r\nlocation: /v1", ""),
            broken(K::InvalidRequest, "redirect"),
        ),
        Case::new(
            "302 to a file",
            reply("302 Moved\r\nlocation: file:///etc/passwd", ""),
            broken(K::InvalidRequest, "redirect"),
        ),
        Case::new(
            "a redirect that repeats the key",
            reply(
                &format!("307 Moved\r\nlocation: http://{CANARY}.example/"),
                "",
            ),
            broken(K::InvalidRequest, "redirect"),
        ),
        bare("300 without a place", "300 Odd", K::InvalidRequest),
    ]
}
