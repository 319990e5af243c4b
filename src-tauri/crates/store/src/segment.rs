//! Words for the search index in scripts that put no spaces between them: Chinese, Japanese,
//! Korean, Thai, Lao, Khmer, Burmese, Tibetan, Yi. The index's tokenizer would take a whole
//! sentence for one word. So each such letter is set apart by a zero-width space and becomes a
//! token, and a query's run of letters becomes a phrase: any substring is found, even of one
//! letter. (A trigram index finds nothing shorter than three, and most Chinese words have two.)

/// Set between letters: no tokenizer takes it for part of a word, and no reader sees it.
const SEPARATOR: char = '\u{200b}';

/// Whether the letter belongs to a script without spaces between words.
pub(crate) const fn stands_alone(letter: char) -> bool {
    matches!(letter,
        '\u{0e01}'..='\u{0fff}' // Thai, Lao, Tibetan
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1100}'..='\u{11ff}' // Korean letters
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{2e80}'..='\u{2fdf}' // Chinese radicals
        | '\u{3005}'..='\u{3007}'
        | '\u{3040}'..='\u{31ff}' // Japanese kana, Chinese bopomofo, Korean letters
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' // Chinese characters
        | '\u{a000}'..='\u{a4cf}' // Yi
        | '\u{ac00}'..='\u{d7ff}' // Korean syllables
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ffdc}' // half-width kana
        | '\u{20000}'..='\u{323af}')
}

/// The text with such letters set apart; `None` when it has none.
pub(crate) fn segmented(text: &str) -> Option<String> {
    // Most texts have none: their bytes tell, since all such letters begin with 0xe0 or above.
    if !text.bytes().any(|byte| byte >= 0xe0) || !text.chars().any(stands_alone) {
        return None;
    }
    let mut apart = String::with_capacity(text.len() * 2);
    let mut before: Option<char> = None;
    for letter in text.chars() {
        let joins = |other: char| stands_alone(other) && letter.is_alphanumeric();
        let beside = before.is_some_and(|before| {
            joins(before) || (stands_alone(letter) && before.is_alphanumeric())
        });
        if beside {
            apart.push(SEPARATOR);
        }
        apart.push(letter);
        before = Some(letter);
    }
    Some(apart)
}

/// The text as a person wrote it.
pub(crate) fn joined(text: &str) -> String {
    text.chars().filter(|letter| *letter != SEPARATOR).collect()
}

#[cfg(test)]
mod tests {
    use super::{joined, segmented};

    #[test]
    fn letters_of_scripts_without_spaces_stand_apart() {
        assert_eq!(
            segmented("我们 ok吃饭").as_deref(),
            Some("我\u{200b}们 ok\u{200b}吃\u{200b}饭")
        );
        assert_eq!(
            segmented("日本語です。")
                .map(|text| joined(&text))
                .as_deref(),
            Some("日本語です。")
        );
        for text in ["", "plain words", "naïve — œuvre ✓", "Привет мир"] {
            assert_eq!(
                segmented(text),
                None,
                "{text:?} has spaces between its words"
            );
        }
    }
}
