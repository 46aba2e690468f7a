//! Letters without case (TAGS-13).

use super::Case;

/// The name in the case that tags are compared in.
pub(super) fn folded(name: String, case: Case) -> String {
    match case {
        Case::Sensitive => name,
        Case::Insensitive => name.chars().map(lower).collect(),
    }
}

/// The tag in lower case; `buffer` is used only where that differs.
pub(super) fn fold<'a>(tag: &'a str, buffer: &'a mut String) -> &'a str {
    if tag.bytes().all(has_no_case) {
        return tag;
    }
    buffer.clear();
    buffer.extend(tag.chars().map(lower));
    buffer
}

/// Whether the byte only occurs in characters without an upper case: ASCII but its capitals, and
/// U+3000 to U+9FFF, where Chinese and Japanese are.
fn has_no_case(byte: u8) -> bool {
    match byte {
        0..=0x7F => !byte.is_ascii_uppercase(),
        // The rest of a character whose first byte decides.
        0x80..=0xBF => true,
        0xE3..=0xE9 => true,
        _ => false,
    }
}

/// Unicode's simple lower-case letter. Only `İ` has a longer full one, which begins with it.
fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}
