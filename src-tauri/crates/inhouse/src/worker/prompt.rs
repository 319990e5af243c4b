//! From messages to tokens.

mod literal;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::template::Template;
use crate::line::{Generate, Said};
use literal::{Controls, segments};

/// Turns requests into prompts for one model.
pub(super) struct Prompter {
    template: Template,
    /// The beginning-of-text token and its text, when the model wants it before every prompt.
    bos: Option<(LlamaToken, String)>,
    /// In what a person wrote they are text and nothing else.
    controls: Controls,
}

impl Prompter {
    pub(super) fn new(model: &LlamaModel) -> Result<Self, String> {
        let vocab = model.vocab();
        let piece = |token: LlamaToken| {
            // The number of a token that the vocabulary lacks is negative.
            let bytes = (token.0 >= 0).then(|| vocab.token_to_piece(token, true, None));
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let bos = vocab.bos();
        let source = model
            .chat_template(None)
            .ok()
            .map(|template| template.to_string().map_err(|error| error.to_string()))
            .transpose()?;
        let template = Template::new(source, piece(bos), piece(vocab.eos()))
            .map_err(|error| format!("its chat template is broken: {error}"))?;
        let controls = vocab
            .tokens()
            .filter(|&token| vocab.is_control(token) || vocab.is_eog(token))
            .map(piece)
            .collect();
        let wants_bos = vocab.should_add_bos() && bos.0 >= 0;
        Ok(Self {
            template,
            bos: wants_bos.then(|| (bos, piece(bos))),
            controls: Controls::new(controls),
        })
    }

    /// The prompt's tokens; the error is a clause for people.
    pub(super) fn tokens(
        &self,
        model: &LlamaModel,
        request: &Generate,
    ) -> Result<Vec<LlamaToken>, String> {
        let marked = request.messages.iter().map(|said| Said {
            role: said.role,
            text: self.controls.mark(&said.text),
        });
        let messages: Vec<Said> = marked.collect();
        let system = self.controls.mark(&request.system);
        let text = self
            .template
            .render(&system, &messages, request.continue_last)
            .map_err(|error| format!("its chat template refuses the conversation: {error}"))?;
        let mut text = text.as_str();
        let mut tokens = Vec::new();
        if let Some((bos, piece)) = &self.bos {
            // Some templates write it themselves; it must not stand there twice.
            text = text.strip_prefix(piece.as_str()).unwrap_or(text);
            tokens.push(*bos);
        }
        let vocab = model.vocab();
        for (piece, is_literal) in segments(text) {
            tokens.extend(vocab.tokenize(piece.as_bytes(), false, !is_literal));
        }
        Ok(tokens)
    }
}
