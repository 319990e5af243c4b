//! What holds for every stream: its pieces do not matter, its end does, and no text is lost.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use protocol::Wire;
use serde_json::{Value, json};

use super::{added, argues, completed, done, function, message, run, says, sums_up, values};
use crate::{ProviderEvent, decode};

/// A step of an answer with several items open.
fn step() -> impl Strategy<Value = Value> {
    let words = prop_oneof!["[a-zé😀 \n]{0,6}", "\\PC{0,4}"];
    (0_u64..4, 0_u64..2, words, 0..10).prop_map(|(index, section, words, step)| match step {
        0 => added(index, message("m", "")),
        1 => says(index, &words),
        2 => done(index, message("m", &words)),
        3 => added(index, json!({ "type": "reasoning", "id": "r" })),
        4 => sums_up(index, section, &words),
        5 => done(
            index,
            json!({ "type": "reasoning", "summary": [{ "text": words }] }),
        ),
        6 => added(index, function("c", json!(""))),
        7 => argues(index, &words),
        8 => done(index, function("c", json!(words))),
        _ => done(index, json!({ "type": "web_search_call", "id": words })),
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_and_a_cut_is_no_success(
        steps in prop::collection::vec(step(), 0..24),
        split in 1_usize..64,
        cut in 0.0..1.0_f64,
    ) {
        let mut stream = String::new();
        for step in &steps {
            stream += &format!("event: {}\ndata: {step}\n\n", step["type"].as_str().unwrap());
        }
        let end = format!("data: {}\n\n", completed());
        let whole_stream = stream.clone() + &end;
        let whole = decode(Wire::Responses, whole_stream.as_bytes(), NonZeroUsize::MAX).unwrap();
        prop_assert!(whole.complete, "{:?}", whole.lines);
        let split = NonZeroUsize::new(split).unwrap();
        let pieces = decode(Wire::Responses, whole_stream.as_bytes(), split).unwrap();
        prop_assert_eq!(&pieces, &whole);
        // The last bytes are the braces and line ends without which the end is none.
        let length = (cut * (stream.len() + end.len() - 4) as f64) as usize;
        let decoded = decode(Wire::Responses, &whole_stream.as_bytes()[..length], split).unwrap();
        prop_assert!(!decoded.complete);
        let last = values(&decoded).pop().unwrap();
        prop_assert_eq!(&last["kind"], "interrupted");
    }

    #[test]
    fn no_text_is_lost_however_items_overlap(steps in prop::collection::vec(step(), 0..24)) {
        let mut stream = steps.clone();
        stream.push(completed());
        let (events, _) = run(&stream);
        let mut said = String::new();
        for event in &events {
            if let ProviderEvent::Text(text) | ProviderEvent::Thinking(text) = event {
                said += text;
            }
        }
        for step in &steps {
            let kind = step["type"].as_str().unwrap();
            if kind.ends_with("_text.delta") {
                let delta = step["delta"].as_str().unwrap();
                prop_assert!(said.contains(delta), "{delta:?} is missing in {said:?}");
            }
        }
    }

    #[test]
    fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        decode(Wire::Responses, bytes.as_slice(), NonZeroUsize::MIN).unwrap();
    }
}
