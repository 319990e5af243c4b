//! Faults on the way: there is no server, no TLS, no HTTP, or no head.

use providers::ErrorKind::Network;

use super::tls::Certificate;
use super::*;

/// A TLS alert: the version of the protocol is not spoken here.
const OLD_VERSION: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";

pub(crate) fn cases(dialect: &Dialect) -> Vec<Case> {
    let lost = || broken(Network, "connection");
    let case = |name, steps| Case::new(name, steps, lost());
    let untrusted = |name, certificate| {
        Case::new(name, vec![], broken(Network, "certificate")).at(Place::Certified(certificate))
    };
    let flood = "x-flood: water\r\n".repeat(500);
    let good = dialect.saying(HELLO);
    vec![
        Case::new(
            "nothing listens",
            vec![],
            broken(Network, "connection_refused"),
        )
        .at(Place::Gone),
        case("the name does not exist", vec![]).at(Place::Unnamed),
        case("a black hole where TLS should be", vec![])
            .at(Place::Tls(vec![Step::Hang]))
            .in_haste(Haste::Connect),
        case("plain HTTP where TLS should be", vec![]).at(Place::Tls(vec![
            send("HTTP/1.1 400 Bad Request\r\n\r\n"),
            Step::Hang,
        ])),
        case("TLS of an old version alone", vec![])
            .at(Place::Tls(vec![send(OLD_VERSION), Step::Hang])),
        case("a close in place of TLS", vec![]).at(Place::Tls(vec![])),
        untrusted("a certificate of an unknown issuer", Certificate::Unknown),
        untrusted("a certificate that has run out", Certificate::Expired),
        untrusted("a certificate for another host", Certificate::OtherHost),
        case("an answer before the question", vec![])
            .at(Place::Blunt(vec![send("220 mail ready\r\n"), Step::Hang])),
        case("a close before the head", vec![]).thrice(),
        case("a reset before the head", vec![Step::Reset]).thrice(),
        case(
            "a close inside the head",
            vec![send("HTTP/1.1 200 OK\r\ncontent-ty")],
        )
        .thrice(),
        case(
            "bytes that are no HTTP",
            vec![send(b"\x00\x01\xff\xfe\r\n\r\n")],
        )
        .thrice(),
        case(
            "a head of another protocol",
            vec![send("SSH-2.0-x\r\n\r\n")],
        )
        .thrice(),
        case(
            "a version that is none",
            vec![send("HTTP/9.7 200 OK\r\n\r\n")],
        )
        .thrice(),
        case(
            "a status that is no number",
            vec![send("HTTP/1.1 OK OK\r\n\r\n")],
        )
        .thrice(),
        case(
            "a flood of headers",
            vec![send(format!("HTTP/1.1 200 OK\r\n{flood}\r\n"))],
        )
        .thrice(),
        case(
            "a header without an end",
            vec![send(format!(
                "HTTP/1.1 200 OK\r\nx-long: {}",
                "x".repeat(2 << 20)
            ))],
        )
        .thrice(),
        case(
            "a length that is no number",
            vec![send("HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n")],
        )
        .thrice(),
        case(
            "two lengths",
            vec![send(
                "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\nhello",
            )],
        )
        .thrice(),
        case(
            "a header with a NUL",
            vec![send("HTTP/1.1 200 OK\r\nx-nul: a\x00b\r\n\r\n")],
        )
        .thrice(),
        Case::new(
            "no head at all",
            vec![Step::Hang],
            broken(Network, "timeout"),
        )
        .in_haste(Haste::Headers),
        Case::new(
            "a head that trickles",
            [vec![send("HTTP/1.1 200 OK\r\n")], trickle("x-drop: 1\r\n")].concat(),
            broken(Network, "timeout"),
        )
        .in_haste(Haste::Headers),
        Case {
            place: Place::Here(vec![vec![Step::Reset], vec![], stream(&good)]),
            requests: Some(3),
            ..Case::new("a server that comes back in time", vec![], End::Whole).keeping(HELLO)
        },
        Case::new(
            "a head that is announced first",
            [vec![send("HTTP/1.1 100 Continue\r\n\r\n")], stream(&good)].concat(),
            End::Whole,
        )
        .keeping(HELLO),
    ]
}
