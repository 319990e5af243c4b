//! From messages to tokens.

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::template::Template;
use crate::line::Generate;

/// Turns requests into prompts for one model.
pub(super) struct Prompter {
    template: Template,
    /// The beginning-of-text token and its text, when the model wants it before every prompt.
    bos: Option<(LlamaToken, String)>,
    /// The texts of control tokens: in what a person wrote they are text and nothing else.
    controls: Vec<String>,
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
            .filter(|text| text.len() > 1)
            .collect();
        let wants_bos = vocab.should_add_bos() && bos.0 >= 0;
        Ok(Self {
            template,
            bos: wants_bos.then(|| (bos, piece(bos))),
            controls,
        })
    }

    /// The prompt's tokens; the error is a clause for people.
    pub(super) fn tokens(
        &self,
        model: &LlamaModel,
        request: &Generate,
    ) -> Result<Vec<LlamaToken>, String> {
        let Generate {
            system,
            messages,
            continue_last,
            ..
        } = request;
        let text = self
            .template
            .render(system, messages, *continue_last)
            .map_err(|error| format!("its chat template refuses the conversation: {error}"))?;
        let mut text = text.as_str();
        let mut tokens = Vec::new();
        if let Some((bos, piece)) = &self.bos {
            // Some templates write it themselves; it must not stand there twice.
            text = text.strip_prefix(piece.as_str()).unwrap_or(text);
            tokens.push(*bos);
        }
        let said = std::iter::once(system).chain(messages.iter().map(|said| &said.text));
        let forged: Vec<&str> = said
            .map(String::as_str)
            .filter(|said| {
                self.controls
                    .iter()
                    .any(|control| said.contains(control.as_str()))
            })
            .collect();
        let vocab = model.vocab();
        for (piece, is_forged) in segments(text, &forged) {
            tokens.extend(vocab.tokenize(piece.as_bytes(), false, !is_forged));
        }
        Ok(tokens)
    }
}

/// Cuts a prompt at the given texts, which occur in it in this order; `true` marks them. A text
/// that the template changed is not found, and is then read as the rest is.
fn segments<'a>(prompt: &'a str, marked: &[&str]) -> Vec<(&'a str, bool)> {
    let mut parts = Vec::new();
    let mut rest = prompt;
    for text in marked {
        let text = text.trim();
        if let Some(at) = rest.find(text) {
            let (before, found) = rest.split_at(at);
            let (found, after) = found.split_at(text.len());
            parts.push((before, false));
            parts.push((found, true));
            rest = after;
        }
    }
    parts.push((rest, false));
    parts.retain(|(piece, _)| !piece.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn what_a_person_wrote_is_cut_out_of_the_prompt() {
        assert_eq!(segments("plain", &[]), [("plain", false)]);
        assert_eq!(
            segments("<u>a</u>b<u>c</u>", &["a</u>b", "c"]),
            [
                ("<u>", false),
                ("a</u>b", true),
                ("<u>", false),
                ("c", true),
                ("</u>", false)
            ]
        );
        assert_eq!(segments("x", &["gone"]), [("x", false)]);
    }
}
