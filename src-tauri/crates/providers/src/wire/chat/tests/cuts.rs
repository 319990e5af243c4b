//! Made-up streams: any cut of the bytes gives the same events.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use protocol::Wire;
use serde_json::json;

use super::run;
use crate::decode;

fn chunk() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z€😀 ]{0,8}".prop_map(|text| json!({ "choices": [{ "delta": { "content": text } }] })),
        "[a-z€ ]{0,8}".prop_map(|text| json!({ "choices": [{ "delta": { "reasoning": text } }] })),
        (0_u8..3, "[a-c]?", "[fg]?", "[0-9]{0,3}").prop_map(|(index, id, name, arguments)| {
            json!({ "choices": [{ "delta": { "tool_calls": [{
                "index": index, "id": id,
                "function": { "name": name, "arguments": arguments } }] } }] })
        }),
        (0_u64..9)
            .prop_map(|tokens| json!({ "choices": [], "usage": { "prompt_tokens": tokens } })),
        Just(json!({ "choices": [{ "finish_reason": "stop" }] })),
        Just(json!({ "error": { "message": "boom" } })),
        Just(json!({ "message": "in passing" })),
        Just(json!("no object")),
    ]
    .prop_map(|chunk| chunk.to_string())
}

/// What may stand in a stream, the sign of its end included.
fn data() -> impl Strategy<Value = String> {
    prop_oneof![9 => chunk(), 1 => Just("[DONE]".to_owned())]
}

proptest! {
    #[test]
    fn every_split_decodes_to_the_same_lines(
        chunks in proptest::collection::vec(data(), 0..12),
        tail in proptest::option::of(data()),
        newline in prop_oneof![Just("\n"), Just("\r"), Just("\r\n")],
        cut in any::<prop::sample::Index>(),
        split in 1_usize..9,
    ) {
        let mut stream = String::from(": hello\u{e9}");
        for chunk in &chunks {
            stream += &format!("{newline}data: {chunk}{newline}{newline}");
        }
        if let Some(tail) = &tail {
            stream += &format!("{newline}data: {tail}");
        }
        let stream = &stream.as_bytes()[..stream.len() - cut.index(stream.len() / 4 + 1)];
        let whole = decode(Wire::Chat, stream, NonZeroUsize::MAX).unwrap();
        let pieces = decode(Wire::Chat, stream, NonZeroUsize::new(split).unwrap()).unwrap();
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn any_data_is_survived(data in "\\PC{0,80}") {
        run(&[&data]);
    }
}
