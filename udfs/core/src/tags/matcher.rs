//! One row's tags, one after the other.

use super::fold::fold;
use super::{Case, Program};

/// Collects the tags of a row and gives the answer; reused from row to row without allocation.
///
/// For each row: [`Matcher::reset`], then a call for each tag, then [`Matcher::matches`]. Order and
/// repeats of tags change nothing (TAGS-1).
#[derive(Clone, Debug)]
pub struct Matcher<'p> {
    program: &'p Program,
    bits: Vec<u64>,
    /// A tag in lower case, and an entry of a map as one tag.
    lower: String,
    entry: String,
}

impl Program {
    /// A matcher that has seen no tag.
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher { program: self, bits: vec![0; self.word_count()], lower: String::new(), entry: String::new() }
    }
}

impl Matcher<'_> {
    /// Begins a row: no tag was seen.
    #[inline]
    pub fn reset(&mut self) {
        // One word is the common case, and for it a call to fill memory costs more than all else.
        match self.bits.as_mut_slice() {
            [word] => *word = 0,
            words => words.fill(0),
        }
    }

    /// The row has this tag. The empty text is no tag.
    #[inline]
    pub fn see(&mut self, tag: &str) {
        let tag = match self.program.case() {
            Case::Sensitive => tag,
            Case::Insensitive => fold(tag, &mut self.lower),
        };
        self.program.mark(tag, &mut self.bits);
    }

    /// The row's map has this entry: the tag `key`, and with a value the tag `key:value` (TAGS-12).
    pub fn see_pair(&mut self, key: &str, value: Option<&str>) {
        self.see(key);
        let Some(value) = value else { return };
        let mut entry = std::mem::take(&mut self.entry);
        entry.clear();
        entry.extend([key, ":", value]);
        self.see(&entry);
        self.entry = entry;
    }

    /// The row's tags stand in this text (TAGS-14).
    pub fn see_delimited(&mut self, text: &str) {
        for tag in split_tags(text) {
            self.see(tag);
        }
    }

    /// Whether the tags seen since [`Matcher::reset`] satisfy the expression.
    #[inline]
    pub fn matches(&self) -> bool {
        self.program.evaluate(&self.bits)
    }

    /// The bits of the tags seen since [`Matcher::reset`], [`Program::word_count`] words.
    #[inline]
    pub fn bits(&self) -> &[u64] {
        &self.bits
    }

    /// The bits of this tag alone, for a cache by distinct tag: the OR of a row's bits is what
    /// [`Program::evaluate`] takes. Forgets what was seen before.
    pub fn tag_bits(&mut self, tag: &str) -> &[u64] {
        self.reset();
        self.see(tag);
        &self.bits
    }
}

/// The tags in a delimited text (TAGS-14): between `,` `;` `|` `，` `；` `｜` `、`, without space around
/// them, the empty ones left out.
pub fn split_tags(text: &str) -> impl Iterator<Item = &str> {
    Pieces { rest: Some(text) }.map(str::trim).filter(|tag| !tag.is_empty())
}

/// The pieces between separators. Bytes are compared, because almost none of them begins one.
struct Pieces<'a> {
    rest: Option<&'a str>,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    #[inline]
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        let bytes = rest.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let length = match byte {
                b',' | b';' | b'|' => 1,
                0xE3 | 0xEF if is_wide_separator(&bytes[at..]) => 3,
                _ => continue,
            };
            self.rest = Some(&rest[at + length..]);
            return Some(&rest[..at]);
        }
        Some(rest)
    }
}

/// Whether the bytes begin with `、`, `，`, `；` or `｜`.
fn is_wide_separator(bytes: &[u8]) -> bool {
    ["、", "，", "；", "｜"].iter().any(|separator| bytes.starts_with(separator.as_bytes()))
}
