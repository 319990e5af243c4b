//! Whether an endpoint and its key work, by the cheapest requests that tell: its list of models, and
//! where there is a key, a word from its cheapest model. A list alone proves little: some are open to
//! everyone, and an account without credit has one too.

use std::time::Duration;

use futures::StreamExt;
use protocol::{
    AppError, CallOutcome, Endpoint, ErrorCode, Model, Part, ProviderId, Purpose, Role, Usage,
};
use providers::{ProviderEvent, Request, RequestMessage};

use crate::egress::Errand;
use crate::{Change, Engine};

/// How long a person waits for the list, and again for the word.
const LIMIT: Duration = Duration::from_secs(15);

/// Tokens of the word: the fewest that all providers let one ask for.
const TOKENS: u32 = 16;

impl Engine {
    /// Asks a provider for its models, and its cheapest one for a word when there is a key, to see
    /// whether address and key work.
    ///
    /// # Errors
    /// Why they do not: `Auth`, `Quota`, `Network`, `KeyLost` and the other kinds, each with what to
    /// do. One that is not about the key says that the key was accepted.
    pub async fn test_endpoint(&self, provider: &ProviderId) -> Result<Vec<Model>, AppError> {
        let endpoint = self.endpoint(provider).await?;
        let models = self
            .ask_for_models(&endpoint, Purpose::TestKey, LIMIT)
            .await?;
        self.announce(Change::Models);
        if endpoint.key.is_some()
            && let Some(model) = cheapest(&models)
        {
            self.hear_a_word(&endpoint, model).await?;
        }
        Ok(models)
    }

    async fn hear_a_word(&self, endpoint: &Endpoint, model: &Model) -> Result<(), AppError> {
        let key = self.key_for(endpoint).await?;
        let errand = Errand::trying(model.model.clone());
        let permit = self.permit(Some(endpoint), errand).await?;
        let question = RequestMessage {
            role: Role::User,
            parts: vec![Part::text("Say yes.")],
        };
        let request = Request {
            model: model.model.model.clone(),
            messages: vec![question],
            max_tokens: Some(TOKENS),
            // The least that it offers: thinking is paid for.
            effort: model.efforts.iter().min().copied(),
            ..Request::default()
        };
        let cancel = self.inner.closing.child_token();
        let mut events = permit.stream(request, key, cancel);
        let mut usage: Option<Usage> = None;
        let hearing = async {
            while let Some(event) = events.next().await {
                match event? {
                    ProviderEvent::Usage(so_far) => usage = Some(so_far),
                    ProviderEvent::Finished { .. } => return Ok(()),
                    _ => {}
                }
            }
            Err(AppError::new(ErrorCode::Interrupted, "there was no answer"))
        };
        let heard = tokio::time::timeout(LIMIT, hearing).await;
        let heard = heard.unwrap_or_else(|_| {
            let message = format!("no answer came in {} seconds: try again", LIMIT.as_secs());
            Err(AppError::new(ErrorCode::Network, message))
        });
        drop(events);
        permit.end(CallOutcome::of(&heard), usage).await;
        heard.map_err(|error| explained(error, model))
    }
}

/// The cheapest model; the first where no price is known. What is free is often no more than a
/// sample, which says nothing about a key.
fn cheapest(models: &[Model]) -> Option<&Model> {
    let price = |model: &&Model| {
        let price = model.price.as_ref()?;
        Some(price.input + price.output).filter(|dollars| *dollars > 0.0)
    };
    let priced = models.iter().filter(|model| price(model).is_some());
    priced
        .min_by(|one, other| {
            price(one)
                .unwrap_or(0.0)
                .total_cmp(&price(other).unwrap_or(0.0))
        })
        .or_else(|| models.first())
}

/// The error of the word, told as what it says about the key.
fn explained(mut error: AppError, model: &Model) -> AppError {
    let about_model = matches!(
        error.code,
        ErrorCode::InvalidRequest
            | ErrorCode::NotFound
            | ErrorCode::Refused
            | ErrorCode::ContextOverflow
            | ErrorCode::Interrupted
            | ErrorCode::Unknown
    );
    if about_model {
        let model = &model.model;
        error.message = format!(
            "the key is accepted, but {model} did not answer: {}",
            error.message
        );
    }
    error
}

#[cfg(test)]
mod tests {
    use protocol::{Model, Price, RunsAt};

    use super::cheapest;

    fn model(name: &str, dollars: Option<f64>) -> Model {
        Model {
            model: name.parse().unwrap(),
            name: name.to_owned(),
            runs_at: RunsAt::ThisMachine,
            context_tokens: None,
            output_tokens: None,
            images: false,
            files: false,
            tools: false,
            efforts: Vec::new(),
            price: dollars.map(|dollars| Price {
                input: dollars,
                cached_input: None,
                cache_write: None,
                output: dollars,
                as_of: "2026-11-25".to_owned(),
            }),
            retires_on: None,
            bytes: None,
        }
    }

    #[test]
    fn the_cheapest_that_costs_something_is_asked() {
        let chosen = |models: &[Model]| cheapest(models).map(|model| model.name.clone());
        let models = [
            model("p/unknown", None),
            model("p/dear", Some(5.0)),
            model("p/free", Some(0.0)),
            model("p/cheap", Some(0.1)),
        ];
        assert_eq!(chosen(&models).as_deref(), Some("p/cheap"));
        assert_eq!(chosen(&models[..1]).as_deref(), Some("p/unknown"));
        assert_eq!(chosen(&[]), None);
    }
}
