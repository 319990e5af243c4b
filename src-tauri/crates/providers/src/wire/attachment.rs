//! What the images and files of a message hold, in the two forms that every wire has a place for:
//! text, and bytes of a media type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{AttachmentId, Part};

use crate::{Attached, ErrorKind, Fault, Request};

/// What a part stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// Text, with the name of its file around it.
    Text(String),
    /// An image or a document as it is.
    Bytes {
        /// The name of the file; an image has none.
        name: Option<&'a str>,
        /// The media type in lower case, without parameters.
        media_type: String,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// The content of an image or a file; `None` for parts of other kinds.
///
/// # Errors
/// `InvalidRequest` when the attachment is not at hand, or is text in no encoding that is known.
pub(crate) fn content<'a>(
    request: &'a Request,
    part: &'a Part,
) -> Result<Option<Content<'a>>, Fault> {
    let (id, name, media_type) = match part {
        Part::Image {
            attachment,
            media_type,
        } => (attachment, None, media_type),
        Part::File {
            attachment,
            name,
            media_type,
        } => (attachment, Some(name.as_str()), media_type),
        Part::Text { .. }
        | Part::Thinking { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. } => return Ok(None),
    };
    let media_type = media_type.split(';').next().unwrap_or_default();
    let media_type = media_type.trim().to_ascii_lowercase();
    let held = request.attachments.get(id);
    match held.ok_or_else(|| missing(id, name))? {
        Attached::Text(text) => Ok(Some(Content::Text(quoted(name, text)))),
        Attached::Bytes(bytes) if is_text(&media_type) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(Content::Text(quoted(name, text)))),
            Err(_) => Err(refused(format!(
                "{} is no UTF-8; save it as such, or remove it",
                called(name)
            ))),
        },
        Attached::Bytes(bytes) => Ok(Some(Content::Bytes {
            name,
            media_type,
            bytes,
        })),
    }
}

/// The fault of bytes that a wire has no place for.
pub(crate) fn unsendable(name: Option<&str>, media_type: &str) -> Fault {
    refused(format!(
        "{} is of the type {media_type:?}, which this provider does not take; remove it, or send \
         its text",
        called(name)
    ))
}

/// The bytes in base 64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes as a `data:` URL.
pub(crate) fn data_url(media_type: &str, bytes: &[u8]) -> String {
    format!("data:{media_type};base64,{}", base64(bytes))
}

fn missing(id: &AttachmentId, name: Option<&str>) -> Fault {
    refused(format!(
        "{} ({id}) is not at hand any more; attach it again, or remove it",
        called(name)
    ))
}

fn refused(message: String) -> Fault {
    Fault::new(ErrorKind::InvalidRequest, message).with_code("attachment")
}

fn called(name: Option<&str>) -> String {
    name.map_or_else(
        || "an image".to_owned(),
        |name| format!("the file {:?}", one_line(name)),
    )
}

/// Whether bytes of this type are text: those that say so, and what programmers keep in files.
fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/")
        || media_type.ends_with("+json")
        || media_type.ends_with("+xml") && !media_type.starts_with("image/")
        || matches!(
            media_type,
            "application/json"
                | "application/xml"
                | "application/yaml"
                | "application/x-yaml"
                | "application/toml"
                | "application/javascript"
                | "application/x-sh"
                | "application/sql"
        )
}

/// The text of a file between fences that do not occur in it, under its name.
#[must_use]
pub fn quoted(name: Option<&str>, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    let name = name.map(one_line).unwrap_or_default();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    if name.is_empty() {
        format!("{fence}\n{text}{end}{fence}")
    } else {
        format!("{name}:\n{fence}\n{text}{end}{fence}")
    }
}

/// A name that ends no line and opens no fence.
fn one_line(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() || c == '`' { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pretty_assertions::assert_eq;
    use protocol::{AttachmentId, Part};

    use super::{Content, content, data_url};
    use crate::{Attached, ErrorKind, Request};

    fn file(attachment: AttachmentId, name: &str, media_type: &str) -> Part {
        Part::File {
            attachment,
            name: name.into(),
            media_type: media_type.into(),
        }
    }

    fn holding(attached: Attached) -> (AttachmentId, Request) {
        let id = AttachmentId::generate();
        let request = Request {
            attachments: [(id, attached)].into(),
            ..Request::default()
        };
        (id, request)
    }

    #[test]
    fn text_stands_between_fences_under_its_name() {
        let (id, request) = holding(Attached::Text("a ```` b".into()));
        let part = file(id, "a\n```b.md", "text/markdown");
        let expected = "a    b.md:\n`````\na ```` b\n`````";
        assert_eq!(
            content(&request, &part).unwrap(),
            Some(Content::Text(expected.into()))
        );
        let (id, request) = holding(Attached::Bytes(Bytes::from_static(b"{}\n")));
        let part = file(id, "x.json", "Application/JSON; charset=utf-8");
        let expected = "x.json:\n```\n{}\n```";
        assert_eq!(
            content(&request, &part).unwrap(),
            Some(Content::Text(expected.into()))
        );
    }

    #[test]
    fn bytes_are_bytes_of_their_type() {
        let (id, request) = holding(Attached::Bytes(Bytes::from_static(b"%PDF")));
        let part = file(id, "a.pdf", "Application/PDF");
        assert_eq!(
            content(&request, &part).unwrap(),
            Some(Content::Bytes {
                name: Some("a.pdf"),
                media_type: "application/pdf".into(),
                bytes: b"%PDF",
            })
        );
        assert_eq!(
            data_url("image/png", b"\0\xff"),
            "data:image/png;base64,AP8="
        );
        assert_eq!(content(&request, &Part::text("x")).unwrap(), None);
    }

    #[test]
    fn what_is_not_at_hand_is_named() {
        let id = AttachmentId::generate();
        let image = Part::Image {
            attachment: id,
            media_type: "image/png".into(),
        };
        let fault = content(&Request::default(), &image).unwrap_err();
        assert_eq!(fault.kind, ErrorKind::InvalidRequest);
        assert!(fault.message.contains(&id.to_string()), "{}", fault.message);
        let fault = content(&Request::default(), &file(id, "a.txt", "text/plain")).unwrap_err();
        assert!(fault.message.contains("a.txt"), "{}", fault.message);
        let (id, request) = holding(Attached::Bytes(Bytes::from_static(b"\xff")));
        let fault = content(&request, &file(id, "latin.txt", "text/plain")).unwrap_err();
        assert!(fault.message.contains("UTF-8"), "{}", fault.message);
    }
}
