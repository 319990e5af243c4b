//! The model's own chat template, a Jinja program in its file, rendered as Hugging Face's
//! `apply_chat_template` renders it.

use jiff::ZonedDateTime;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, context};
use protocol::Role;

use crate::line::Said;

/// For files that bring none: `ChatML`, which most small models were tuned on.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n\
    {{ message.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const NAME: &str = "chat";
/// The template is a program in a file from anywhere: it gets so many steps and no more. A long
/// conversation takes some hundred thousand.
const FUEL: u64 = 5_000_000;
const MAX_TEMPLATE_BYTES: usize = 1 << 20;
/// All that a template may write; a conversation is at most 4 MiB.
const MAX_PROMPT_BYTES: usize = 16 << 20;

/// A chat template, ready to render.
pub(super) struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl Template {
    /// Takes the file's template.
    pub(super) fn new(source: Option<String>, bos: String, eos: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, Error> {
                Err(Error::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment.add_function("strftime_now", |format: String| {
            in_words(&format, &ZonedDateTime::now())
        });
        environment.set_fuel(Some(FUEL));
        let source = source.unwrap_or_else(|| CHATML.to_owned());
        if source.len() > MAX_TEMPLATE_BYTES {
            let message = "it is longer than 1 MiB";
            return Err(Error::new(ErrorKind::SyntaxError, message));
        }
        environment.add_template_owned(NAME, source)?;
        Ok(Self {
            environment,
            bos,
            eos,
        })
    }

    /// The prompt for an answer. With `continue_last` it ends in the unfinished answer itself.
    pub(super) fn render(
        &self,
        system: &str,
        messages: &[Said],
        continue_last: bool,
    ) -> Result<String, Error> {
        let (messages, tail) = match messages.split_last() {
            Some((last, rest)) if continue_last => (rest, last.text.as_str()),
            _ => (messages, ""),
        };
        let mut said: Vec<(&str, String)> = messages
            .iter()
            .map(|message| {
                let role = match message.role {
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                (role, message.text.clone())
            })
            .collect();
        let plain = said.clone();
        if !system.is_empty() {
            said.insert(0, ("system", system.to_owned()));
        }
        let mut prompt = match self.fill(&said) {
            // Some templates refuse the system's role: it then opens the first message.
            Err(_) if !system.is_empty() => {
                let mut folded = plain;
                if let Some((_, text)) = folded.iter_mut().find(|(role, _)| *role == "user") {
                    text.insert_str(0, &format!("{system}\n\n"));
                }
                self.fill(&folded)?
            }
            other => other?,
        };
        prompt.push_str(tail);
        Ok(prompt)
    }

    fn fill(&self, said: &[(&str, String)]) -> Result<String, Error> {
        let messages: Vec<Value> = said
            .iter()
            .map(|(role, content)| context! { role => *role, content => content.as_str() })
            .collect();
        let prompt = self.environment.get_template(NAME)?.render(context! {
            messages => messages,
            add_generation_prompt => true,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        })?;
        if prompt.len() > MAX_PROMPT_BYTES {
            let message = "it makes more than 16 MiB of it";
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        Ok(prompt)
    }
}

/// A time as a template wants to write it; the format itself when it is none.
fn in_words(format: &str, now: &ZonedDateTime) -> String {
    jiff::fmt::strtime::format(format, now).unwrap_or_else(|_| format.to_owned())
}

#[cfg(test)]
mod tests {
    use protocol::Role;

    use super::{Template, in_words};
    use crate::line::Said;

    fn said(role: Role, text: &str) -> Said {
        Said {
            role,
            text: text.to_owned(),
        }
    }

    fn template(source: Option<&str>) -> Template {
        Template::new(source.map(str::to_owned), "<s>".into(), "</s>".into()).unwrap()
    }

    #[test]
    fn a_template_may_write_the_day() {
        let now = "2000-02-29T12:34:56[UTC]".parse().unwrap();
        assert_eq!(in_words("%A %d %B %Y", &now), "Tuesday 29 February 2000");
        assert_eq!(
            in_words("%d %", &now),
            "%d %",
            "what is no format stays as it is"
        );
    }

    #[test]
    fn a_file_without_a_template_speaks_chatml() {
        let messages = [said(Role::User, "Hi"), said(Role::Assistant, "He")];
        let chatml = template(None);
        assert_eq!(
            chatml.render("Be brief.", &messages[..1], false).unwrap(),
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n\
             <|im_start|>assistant\n"
        );
        assert!(
            chatml
                .render("", &messages, true)
                .unwrap()
                .ends_with("assistant\nHe")
        );
    }

    #[test]
    fn python_methods_loops_and_whitespace_work_as_in_hugging_faces() {
        let source = "{% for m in messages %}\n  {% if m.role.startswith('sys') %}\n\
            {% continue %}\n  {% endif %}\n[{{ m.content.strip().upper() }}]\n{% endfor %}\n\
            {{ bos_token }}{% if not tools %}!{% endif %}";
        let text = template(Some(source))
            .render("no", &[said(Role::User, " hi ")], false)
            .unwrap();
        assert_eq!(text, "[HI]\n<s>!");
    }

    #[test]
    fn a_template_without_a_system_role_gets_it_in_the_first_message() {
        let source = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}\
            {% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}";
        let text = template(Some(source)).render("Be brief.", &[said(Role::User, "Hi")], false);
        assert_eq!(text.unwrap(), "user: Be brief.\n\nHi");
    }

    #[test]
    fn a_broken_template_is_an_error() {
        assert!(Template::new(Some("{% for %}".into()), String::new(), String::new()).is_err());
        let raising = template(Some("{{ raise_exception('never') }}"));
        assert!(
            raising
                .render("", &[said(Role::User, "Hi")], false)
                .is_err()
        );
    }

    #[test]
    fn a_template_without_end_is_an_error() {
        let nested =
            "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}";
        let endless = template(Some(nested)).render("", &[said(Role::User, "Hi")], false);
        assert_eq!(endless.unwrap_err().kind(), minijinja::ErrorKind::OutOfFuel);
        let long = "x".repeat((1 << 20) + 1);
        assert!(Template::new(Some(long), String::new(), String::new()).is_err());
        let many: Vec<_> = (0..2000).map(|_| said(Role::User, "Hi")).collect();
        assert!(template(None).render("", &many, false).is_ok());
    }
}
