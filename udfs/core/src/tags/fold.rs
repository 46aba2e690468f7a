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
    if tag.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return tag;
    }
    buffer.clear();
    buffer.extend(tag.chars().map(lower));
    buffer
}

/// Unicode's simple lower-case letter. Only `İ` has a longer full one, which begins with it.
fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}
