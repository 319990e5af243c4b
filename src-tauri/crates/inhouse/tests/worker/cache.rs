//! The cache that conversations share, and the steps in which a worker computes.

use super::*;

#[tokio::test]
async fn more_conversations_than_are_held_at_once_are_all_answered() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    let cities = ["Australia", "France", "Italy", "Spain", "Japan", "Egypt"];
    let conversation = |country: &str| Request {
        cache_key: Some(country.to_owned()),
        ..ask(&format!("What is the capital of {country}?"))
    };
    let mut answers = Vec::new();
    for country in cities {
        answers.push(whole(&inhouse, conversation(country)).await);
    }
    // The first was forgotten, the last was not.
    let forgotten = whole(&inhouse, conversation(cities[0])).await;
    assert_eq!(forgotten.text, answers[0].text);
    let kept = whole(&inhouse, conversation(cities[5])).await;
    assert_eq!(kept.text, answers[5].text);
    let cached = |outcome: &Outcome| outcome.usage.as_ref().unwrap().cached_tokens.unwrap();
    let input = kept.usage.as_ref().unwrap().input_tokens.unwrap();
    assert_eq!(cached(&kept), input - 1, "all but the last is there");
    assert!(cached(&forgotten) < input - 1, "its own part was not");
    inhouse.shutdown().await;
}

/// Together they take more than the cache holds, and each alone does not: the younger waits.
#[tokio::test]
async fn two_conversations_that_fill_the_cache_are_both_answered() {
    let house = house(Config::IDLE_UNLOAD);
    house.add_narrow("narrow");
    let question = |word: &str| {
        let mut request = ask(&format!("{word} ").repeat(600));
        request.model = "narrow".to_owned();
        request.max_tokens = Some(100);
        request
    };
    let alone = [
        whole(&house.inhouse, question("one")).await.text,
        whole(&house.inhouse, question("two")).await.text,
    ];
    let (one, two) = tokio::join!(
        whole(&house.inhouse, question("one")),
        whole(&house.inhouse, question("two"))
    );
    for (outcome, alone) in [one, two].iter().zip(&alone) {
        assert_ne!(outcome.stop_reason, Some(StopReason::ContextFull));
        assert_eq!(&outcome.text, alone);
        let total = outcome.usage.as_ref().unwrap().input_tokens.unwrap();
        assert!(
            outcome
                .readings
                .iter()
                .all(|&(done, _)| u64::from(done) <= total)
        );
    }
    house.inhouse.shutdown().await;
}

#[tokio::test]
async fn a_long_prompt_that_was_cancelled_holds_nobody_up() {
    let House {
        folder: _folder,
        inhouse,
    } = house(Config::IDLE_UNLOAD);
    whole(&inhouse, ask("Hello!")).await;
    let cancel = CancellationToken::new();
    let long = ask(&"word ".repeat(7000));
    let mut stream = inhouse.provider().stream(long, None, cancel.clone());
    loop {
        match stream.next().await.unwrap().unwrap() {
            ProviderEvent::Reading { done, .. } if done > 100 => break,
            ProviderEvent::Text(_) => panic!("it was read before it was cancelled"),
            _ => {}
        }
    }
    cancel.cancel();
    let start = Instant::now();
    let mut next = inhouse
        .provider()
        .stream(ask("Hello!"), None, CancellationToken::new());
    while !matches!(
        next.next().await.unwrap().unwrap(),
        ProviderEvent::Reading { .. }
    ) {}
    // One step, and not the thousands of tokens that were left.
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(5), "it took {waited:?}");
    inhouse.shutdown().await;
}
