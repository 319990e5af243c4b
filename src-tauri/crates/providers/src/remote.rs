//! The provider at any address, on any wire: those that the catalog knows, and every address that a
//! person adds. What differs between them is data, in the catalog and in the endpoint.

use std::collections::HashSet;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::{Endpoint, Model, ModelRef, ProviderId, Secret, Wire};
use reqwest::Response;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::address::{base_url, runs_at, under};
use crate::answer::{self, Reword};
use crate::catalog::known;
use crate::catalog::{self, Entry, ModelList, Quirks};
use crate::error::classify;
use crate::headers::Headers;
use crate::http::{Ask, Call};
use crate::models::{Listed, MAX_MODELS, Page};
use crate::ollama::Ollama;
use crate::{
    ErrorKind, Fault, Http, Provider, ProviderError, ProviderEvent, Request, dialect, models, wire,
};

/// The most pages of a list that are asked for.
const MAX_PAGES: usize = 20;

/// A provider at an address.
#[derive(Clone, Debug)]
pub struct Remote {
    id: ProviderId,
    base_url: Url,
    wire: Wire,
    /// What the catalog knows of it.
    entry: Option<&'static Entry>,
    headers: Headers,
    http: Http,
}

impl Remote {
    /// The provider of the given endpoint.
    ///
    /// # Errors
    /// `InvalidRequest` that names the field when the base URL is none, the wire is not one that is
    /// spoken between machines, or a header cannot be sent.
    pub fn new(endpoint: &Endpoint, http: Http) -> Result<Self, ProviderError> {
        let refused =
            |message| ProviderError::new(ErrorKind::InvalidRequest, &endpoint.id, message);
        if endpoint.wire == Wire::Inhouse {
            return Err(refused(WIRES.to_owned()));
        }
        let headers = Headers::of(endpoint).map_err(|error| refused(error.to_string()))?;
        let mut base_url =
            base_url(&endpoint.base_url).map_err(|error| refused(error.to_string()))?;
        let entry = catalog::entry(&endpoint.id);
        // Ollama's own documents name the server alone, which is the address of its other API.
        if base_url.path() == "/" && entry.is_some_and(|entry| entry.models == ModelList::Ollama) {
            base_url.set_path("/v1");
        }
        Ok(Self {
            id: endpoint.id.clone(),
            base_url,
            wire: endpoint.wire,
            entry,
            headers,
            http,
        })
    }

    fn call(&self, url: Url, key: Option<Secret<String>>, ask: Ask) -> Call {
        Call {
            url,
            key,
            headers: self.headers.clone(),
            ask,
        }
    }

    /// Where an answer of the model is asked for.
    fn answers_at(&self, model: &str) -> Url {
        match self.wire {
            Wire::Responses => under(&self.base_url, "/responses"),
            Wire::Messages => under(&self.base_url, "/messages"),
            Wire::Gemini => {
                let mut url = under(&self.base_url, "/models");
                let model = model.strip_prefix("models/").unwrap_or(model);
                if let Ok(mut path) = url.path_segments_mut() {
                    path.push(&format!("{model}:streamGenerateContent"));
                }
                url.set_query(Some("alt=sse"));
                url
            }
            Wire::Chat | Wire::Inhouse => under(&self.base_url, "/chat/completions"),
        }
    }

    /// How to word a request, with what its server has refused before left out.
    fn quirks(&self, model: &str) -> Quirks {
        let known = self.http.refusals().knows(&self.base_url, model);
        known.unwrap_or_else(|| catalog::quirks(&self.id, self.wire, model))
    }

    fn encode(&self, request: &Request, quirks: &Quirks) -> Result<Bytes, Fault> {
        wire::encode(self.wire, Some(&self.id), request, quirks).map(Bytes::from)
    }

    /// What to send after a refusal, so long as there is something to leave out.
    fn reword(&self, request: Request, mut sent: Quirks) -> Reword {
        let provider = self.clone();
        Box::new(move |fault| {
            sent = dialect::reworded(provider.wire, &sent, &request, fault)?;
            let refusals = provider.http.refusals();
            refusals.remember(&provider.base_url, &request.model, &sent);
            provider.encode(&request, &sent).ok()
        })
    }

    /// Every model of the provider's list, with what the catalog knows beside it.
    async fn list(&self, key: Option<Secret<String>>) -> Result<Vec<Model>, Fault> {
        let today = Timestamp::now()
            .to_zoned_datetime(TimeZone::UTC)
            .date()
            .to_string();
        let mut listed: Vec<Listed> = Vec::new();
        let mut asked: Option<(&str, String)> = None;
        for _ in 0..MAX_PAGES {
            let Page { models, next } = self.page(asked.as_ref(), key.clone(), &today).await?;
            listed.extend(models);
            // A page that names itself the next would be asked for until all are.
            if next.is_none() || next == asked || listed.len() >= MAX_MODELS {
                break;
            }
            asked = next;
        }
        // Most lists are in no order. What is known comes first, as the catalog has it.
        listed.sort_by_key(|listed| known::rank(&self.id, &listed.id).unwrap_or(usize::MAX));
        let runs_at = runs_at(&self.base_url);
        let mut seen = HashSet::new();
        let models = listed
            .into_iter()
            .filter(|listed| self.entry.is_none_or(|entry| entry.converses(&listed.id)))
            .filter(|listed| seen.insert(listed.id.clone()))
            .take(MAX_MODELS)
            .map(|Listed { id, facts }| {
                let facts = facts.over(known::facts(&self.id, &id));
                let model = ModelRef {
                    provider: self.id.clone(),
                    model: id,
                };
                facts.of(model, runs_at.clone())
            })
            .collect();
        match self.ollama(key.as_ref()) {
            Some(ollama) => Ok(ollama.complete(models).await),
            None => Ok(models),
        }
    }

    /// One page of the list: the first, or the one of the given query.
    async fn page(
        &self,
        asked: Option<&(&str, String)>,
        key: Option<Secret<String>>,
        today: &str,
    ) -> Result<Page, Fault> {
        let mut response = self.answer_list(asked, key).await?;
        let body = self.http.body(&mut response).await?;
        models::read(&body, today).ok_or_else(|| {
            let in_body = serde_json::from_slice(&body)
                .ok()
                .and_then(|body| classify::in_body(&body));
            in_body.unwrap_or_else(|| {
                classify::no_answer(response.status().as_u16(), response.headers(), &body)
            })
        })
    }

    /// The answer to a page's request, by the way that the provider has for it.
    async fn answer_list(
        &self,
        asked: Option<&(&str, String)>,
        key: Option<Secret<String>>,
    ) -> Result<Response, Fault> {
        let list = |path: &str| {
            let mut url = under(&self.base_url, path);
            match self.wire {
                Wire::Messages => drop(url.query_pairs_mut().append_pair("limit", "1000")),
                Wire::Gemini => drop(url.query_pairs_mut().append_pair("pageSize", "1000")),
                Wire::Chat | Wire::Responses | Wire::Inhouse => {}
            }
            if let Some((name, value)) = asked {
                url.query_pairs_mut().append_pair(name, value);
            }
            self.call(url, key.clone(), Ask::List)
        };
        let kind = self.entry.map(|entry| entry.models).unwrap_or_default();
        let first = match kind {
            ModelList::Xai => list("/language-models"),
            ModelList::Models | ModelList::Ollama => list("/models"),
        };
        let answer = self.http.send(&first).await;
        match (kind, answer) {
            (ModelList::Xai, Err(fault)) if fault.kind == ErrorKind::NotFound => {
                self.http.send(&list("/models")).await
            }
            (ModelList::Ollama, Err(fault)) if fault.kind == ErrorKind::NotFound => {
                match self.ollama(key.as_ref()) {
                    Some(ollama) => self.http.send(&ollama.tags()).await,
                    None => Err(fault),
                }
            }
            (_, answer) => answer,
        }
    }

    /// Ollama's own API, where this is one.
    fn ollama<'a>(&'a self, key: Option<&'a Secret<String>>) -> Option<Ollama<'a>> {
        self.entry
            .filter(|entry| entry.models == ModelList::Ollama)?;
        let mut root = self.base_url.clone();
        let path = root.path().trim_end_matches("/v1").to_owned();
        root.set_path(&path);
        Some(Ollama {
            http: &self.http,
            root,
            key,
            headers: &self.headers,
        })
    }

    /// The error with what is likely wrong with the address: the path is easily forgotten.
    fn hinted(&self, mut error: ProviderError) -> ProviderError {
        let bare = matches!(self.base_url.path(), "" | "/");
        let own = self
            .entry
            .is_none_or(|entry| !entry.is_at(self.base_url.as_str()));
        let no_model = error.code.as_deref() == Some("model_not_found");
        if error.kind == ErrorKind::NotFound && bare && own && !no_model {
            let base = self.base_url.as_str().trim_end_matches('/');
            error.message += &format!("; if this is the server's bare address, try {base}/v1");
        }
        error
    }
}

/// What to say of a wire that no other machine speaks.
const WIRES: &str = "wire: choose chat, responses, messages or gemini";

impl Provider for Remote {
    fn id(&self) -> &ProviderId {
        &self.id
    }

    fn wire(&self) -> Wire {
        self.wire
    }

    fn list_models(
        &self,
        key: Option<Secret<String>>,
    ) -> BoxFuture<'static, Result<Vec<Model>, ProviderError>> {
        let provider = self.clone();
        async move {
            let listed = provider.list(key.clone()).await;
            listed.map_err(|fault| provider.hinted(fault.scrubbed(key.as_ref()).at(&provider.id)))
        }
        .boxed()
    }

    fn stream(
        &self,
        request: Request,
        key: Option<Secret<String>>,
        cancel: CancellationToken,
    ) -> BoxStream<'static, Result<ProviderEvent, ProviderError>> {
        let quirks = self.quirks(&request.model);
        let body = match self.encode(&request, &quirks) {
            Ok(body) => body,
            Err(fault) => return stream::iter([Err(fault.at(&self.id))]).boxed(),
        };
        let call = self.call(self.answers_at(&request.model), key, Ask::Answer(body));
        let reword = self.reword(request, quirks);
        let provider = self.clone();
        answer::stream(
            self.id.clone(),
            self.wire,
            self.http.clone(),
            call,
            reword,
            cancel,
        )
        .map(move |item| item.map_err(|error| provider.hinted(error)))
        .boxed()
    }
}
