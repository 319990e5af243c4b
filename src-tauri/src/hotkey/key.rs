//! Keys as people write them, `Ctrl+Shift+Space`, and as the routes want them.

use std::fmt;
use std::str::FromStr;

/// The longest text that is looked at, in bytes.
const MAX_BYTES: usize = 64;

/// Keys with a name: as shown, the X11 keysym by the name that portals use and by its number, and
/// other ways to write them. What is shown is what the grabbing route elsewhere understands.
const NAMED: &[(&str, &str, u32, &[&str])] = &[
    ("Space", "space", 0x0020, &[]),
    ("Enter", "Return", 0xff0d, &["return"]),
    ("Tab", "Tab", 0xff09, &[]),
    ("Escape", "Escape", 0xff1b, &["esc"]),
    ("Backspace", "BackSpace", 0xff08, &[]),
    ("Delete", "Delete", 0xffff, &["del"]),
    ("Insert", "Insert", 0xff63, &["ins"]),
    ("Home", "Home", 0xff50, &[]),
    ("End", "End", 0xff57, &[]),
    ("PageUp", "Page_Up", 0xff55, &["pgup"]),
    ("PageDown", "Page_Down", 0xff56, &["pgdn"]),
    ("Up", "Up", 0xff52, &["arrowup"]),
    ("Down", "Down", 0xff54, &["arrowdown"]),
    ("Left", "Left", 0xff51, &["arrowleft"]),
    ("Right", "Right", 0xff53, &["arrowright"]),
    ("Pause", "Pause", 0xff13, &["pausebreak"]),
    ("PrintScreen", "Print", 0xff61, &["print"]),
    ("`", "grave", 0x0060, &["backquote", "grave"]),
    ("\\", "backslash", 0x005c, &["backslash"]),
    ("[", "bracketleft", 0x005b, &["bracketleft"]),
    ("]", "bracketright", 0x005d, &["bracketright"]),
    (",", "comma", 0x002c, &["comma"]),
    (".", "period", 0x002e, &["period", "dot"]),
    ("/", "slash", 0x002f, &["slash"]),
    (";", "semicolon", 0x003b, &["semicolon"]),
    ("'", "apostrophe", 0x0027, &["quote", "apostrophe"]),
    ("-", "minus", 0x002d, &["minus"]),
    ("=", "equal", 0x003d, &["equal"]),
];

/// Modifiers in the order in which they are shown, with the portals' names for them.
const MODIFIERS: [(&str, &str, &[&str]); 4] = [
    (
        "Ctrl",
        "CTRL",
        &["ctrl", "control", "cmdorctrl", "commandorcontrol"],
    ),
    ("Alt", "ALT", &["alt", "option"]),
    ("Shift", "SHIFT", &["shift"]),
    (
        "Super",
        "LOGO",
        &["super", "meta", "win", "cmd", "command", "logo"],
    ),
];

/// Where `Shift` stands in [`MODIFIERS`].
const SHIFT: usize = 2;

/// The keysym of `F1`; the other function keys follow it.
#[cfg(target_os = "linux")]
const FIRST_FUNCTION: u32 = 0xffbe;

/// Why a text names no key that could summon a window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing, or nothing between two `+`.
    #[error("a part of the key is missing: write it as Ctrl+Shift+Space")]
    Missing,
    /// Longer than any key.
    #[error("this is too long for a key: write it as Ctrl+Shift+Space")]
    TooLong,
    /// A part that is no key.
    #[error("{0:?} is no key that can be used: write it as Ctrl+Shift+Space")]
    Unknown(String),
    /// More than one key that is no modifier.
    #[error("only one key can follow the modifiers, as in Ctrl+Shift+Space")]
    Several,
    /// Modifiers only.
    #[error("modifiers need a key after them, as in Ctrl+Shift+Space")]
    OnlyModifiers,
    /// It would be taken away from typing.
    #[error("this key is needed for typing: add Ctrl, Alt or Super to it, as in Ctrl+Shift+Space")]
    NeededForTyping,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Code {
    /// `A` to `Z`, `0` to `9`.
    Character(char),
    /// `F1` to `F24`.
    Function(u8),
    /// A row of [`NAMED`].
    Named(usize),
}

/// A key with its modifiers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    modifiers: [bool; MODIFIERS.len()],
    code: Code,
}

impl Key {
    /// The trigger as the [shortcuts specification] writes it, for the portal: `CTRL+SHIFT+space`.
    ///
    /// [shortcuts specification]: https://specifications.freedesktop.org/shortcuts-spec/latest/
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "only Linux has portals")
    )]
    pub fn trigger(&self) -> String {
        let code = match self.code {
            Code::Character(character) => character.to_ascii_lowercase().to_string(),
            Code::Function(number) => format!("F{number}"),
            Code::Named(row) => NAMED[row].1.to_owned(),
        };
        let mut parts: Vec<&str> = self.held().map(|held| MODIFIERS[held].1).collect();
        parts.push(&code);
        parts.join("+")
    }

    /// The X11 keysym of the key under the modifiers, as it is without `Shift`.
    #[cfg(target_os = "linux")]
    pub fn keysym(&self) -> u32 {
        match self.code {
            // The first keysyms are those of Latin-1.
            Code::Character(character) => u32::from(character.to_ascii_lowercase()),
            Code::Function(number) => FIRST_FUNCTION + u32::from(number) - 1,
            Code::Named(row) => NAMED[row].2,
        }
    }

    /// Which of `Ctrl`, `Alt`, `Shift` and `Super` must be held, in this order.
    #[cfg(target_os = "linux")]
    pub fn modifiers(&self) -> [bool; 4] {
        self.modifiers
    }

    fn held(&self) -> impl Iterator<Item = usize> {
        (0..MODIFIERS.len()).filter(|&modifier| self.modifiers[modifier])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for held in self.held() {
            write!(f, "{}+", MODIFIERS[held].0)?;
        }
        match self.code {
            Code::Character(character) => write!(f, "{character}"),
            Code::Function(number) => write!(f, "F{number}"),
            Code::Named(row) => f.write_str(NAMED[row].0),
        }
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_BYTES {
            return Err(KeyError::TooLong);
        }
        let mut modifiers = [false; MODIFIERS.len()];
        let mut code = None;
        for part in text.split('+').map(str::trim) {
            let lower = part.to_lowercase();
            if lower.is_empty() {
                return Err(KeyError::Missing);
            }
            let modifier = MODIFIERS
                .iter()
                .position(|(_, _, names)| names.contains(&&*lower));
            if code.is_some() {
                return Err(KeyError::Several);
            } else if let Some(modifier) = modifier {
                modifiers[modifier] = true;
            } else {
                code = Some(read_code(&lower).ok_or_else(|| KeyError::Unknown(part.to_owned()))?);
            }
        }
        let code = code.ok_or(KeyError::OnlyModifiers)?;
        let only_shift = (0..MODIFIERS.len()).all(|held| held == SHIFT || !modifiers[held]);
        if only_shift && !matches!(code, Code::Function(_)) {
            return Err(KeyError::NeededForTyping);
        }
        Ok(Self { modifiers, code })
    }
}

/// A key from its lower-case name.
fn read_code(name: &str) -> Option<Code> {
    // As the window's key events call them: `KeyA`, `Digit1`.
    let short = name
        .strip_prefix("key")
        .or_else(|| name.strip_prefix("digit"))
        .unwrap_or(name);
    let mut characters = short.chars();
    if let (Some(character), None) = (characters.next(), characters.next())
        && character.is_ascii_alphanumeric()
    {
        return Some(Code::Character(character.to_ascii_uppercase()));
    }
    if let Some(number) = name
        .strip_prefix('f')
        .filter(|number| !number.starts_with(['0', '+']))
        && let Ok(number @ 1..=24) = number.parse()
    {
        return Some(Code::Function(number));
    }
    NAMED
        .iter()
        .position(|(shown, _, _, names)| shown.to_lowercase() == name || names.contains(&name))
        .map(Code::Named)
}

/// Every key there is, with all modifiers.
#[cfg(test)]
pub(super) fn every_key() -> impl Iterator<Item = Key> {
    let characters = ('A'..='Z').chain('0'..='9').map(String::from);
    let functions = (1..=24).map(|number| format!("F{number}"));
    let named = NAMED.iter().map(|(shown, ..)| (*shown).to_owned());
    characters.chain(functions).chain(named).map(|code| {
        format!("Ctrl+Alt+Shift+Super+{code}")
            .parse()
            .expect("a key")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<Key>()
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .to_string()
    }

    #[test]
    fn keys_have_one_way_to_be_shown() {
        for (text, expected) in [
            ("Ctrl+Shift+Space", "Ctrl+Shift+Space"),
            (" shift + control+SPACE ", "Ctrl+Shift+Space"),
            ("super+alt+k", "Alt+Super+K"),
            ("Meta+KeyK", "Super+K"),
            ("CmdOrCtrl+Digit1", "Ctrl+1"),
            ("Ctrl+Ctrl+.", "Ctrl+."),
            ("F9", "F9"),
            ("shift+f24", "Shift+F24"),
            ("alt+f", "Alt+F"),
            ("Ctrl+Return", "Ctrl+Enter"),
            ("Ctrl+ArrowUp", "Ctrl+Up"),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(shown(expected), expected);
        }
    }

    #[test]
    fn what_is_no_key_is_refused_with_the_reason() {
        for (text, error) in [
            ("", KeyError::Missing),
            ("Ctrl+", KeyError::Missing),
            ("+A", KeyError::Missing),
            ("Ctrl++A", KeyError::Missing),
            ("Ctrl+Shift", KeyError::OnlyModifiers),
            ("A", KeyError::NeededForTyping),
            ("Space", KeyError::NeededForTyping),
            ("Shift+A", KeyError::NeededForTyping),
            ("Ctrl+A+B", KeyError::Several),
            ("Ctrl+A+Shift", KeyError::Several),
            ("Ctrl+Hyper", KeyError::Unknown("Hyper".to_owned())),
            ("Ctrl+F25", KeyError::Unknown("F25".to_owned())),
            ("Ctrl+F0", KeyError::Unknown("F0".to_owned())),
            ("Ctrl+ä", KeyError::Unknown("ä".to_owned())),
        ] {
            assert_eq!(text.parse::<Key>(), Err(error), "{text}");
        }
        assert_eq!("Ctrl+".repeat(13).parse::<Key>(), Err(KeyError::TooLong));
    }

    #[test]
    fn triggers_are_written_as_portals_want_them() {
        for (text, expected) in [
            ("Ctrl+Shift+Space", "CTRL+SHIFT+space"),
            ("Super+K", "LOGO+k"),
            ("Alt+PageUp", "ALT+Page_Up"),
            ("F9", "F9"),
            ("Ctrl+,", "CTRL+comma"),
        ] {
            assert_eq!(text.parse::<Key>().expect("a key").trigger(), expected);
        }
    }

    #[test]
    fn every_key_reads_its_own_name() {
        for key in every_key() {
            assert_eq!(shown(&key.to_string()), key.to_string());
        }
    }

    #[cfg(not(target_os = "linux"))]
    #[test]
    fn the_grabbing_route_understands_every_key() {
        for key in every_key() {
            key.to_string()
                .parse::<tauri_plugin_global_shortcut::Shortcut>()
                .unwrap_or_else(|error| panic!("{key}: {error}"));
        }
    }
}
