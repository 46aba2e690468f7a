//! `{a,"b c",NULL}`: the text of an array of one dimension, for constants and parameters alike.

use std::borrow::Cow;

/// What is wrong with a text that is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoArray;

/// `{a,"b c",NULL}` as its items, `None` for NULL: one dimension, as PostgreSQL writes it.
pub fn items(text: &str) -> impl Iterator<Item = Result<Option<Cow<'_, str>>, NoArray>> {
    let inner = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = match inner {
        Some(inner) if inner.trim().is_empty() => Ok(None),
        Some(inner) => Ok(Some(inner)),
        None => Err(NoArray),
    };
    std::iter::from_fn(move || match rest {
        Ok(None) => None,
        Err(error) => {
            rest = Ok(None);
            Some(Err(error))
        }
        Ok(Some(text)) => Some(match item(text) {
            Some((item, after)) => {
                rest = Ok(after);
                Ok(item)
            }
            None => {
                rest = Ok(None);
                Err(NoArray)
            }
        }),
    })
}

/// The first item of a text, and what follows the comma behind it, if there is one.
fn item(text: &str) -> Option<(Option<Cow<'_, str>>, Option<&str>)> {
    let text = text.trim_start();
    let (item, after) = match text.strip_prefix('"') {
        Some(quoted) => {
            let (item, _, after) = until(quoted, |c| c == '"', |_| false)?;
            (Some(item), after.strip_prefix('"')?)
        }
        None => {
            let (item, escaped, after) = until(text, |c| c == ',', |c| matches!(c, '{' | '}' | '"'))?;
            let item = match item {
                Cow::Borrowed(item) => Cow::Borrowed(item.trim_end()),
                // A blank that a backslash stands before is a part of the item.
                Cow::Owned(mut item) => {
                    item.truncate(item.trim_end().len().max(escaped));
                    Cow::Owned(item)
                }
            };
            let is_null = matches!(&item, Cow::Borrowed(item) if item.eq_ignore_ascii_case("null"));
            // Nothing between two commas is no item.
            if item.is_empty() {
                return None;
            }
            ((!is_null).then_some(item), after)
        }
    };
    let after = after.trim_start();
    match after.strip_prefix(',') {
        Some(after) => Some((item, Some(after))),
        None => after.is_empty().then_some((item, None)),
    }
}

/// The text up to the first character that ends it, backslashes taken off, how long it is up to the last of those that
/// had one, and the rest; `None` at a character that may not be there.
fn until(
    text: &str,
    ends: impl Fn(char) -> bool,
    is_wrong: impl Fn(char) -> bool,
) -> Option<(Cow<'_, str>, usize, &str)> {
    let mut owned: Option<String> = None;
    let mut escaped_to = 0;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if ends(c) {
            let item = owned.map_or(Cow::Borrowed(&text[..at]), Cow::Owned);
            return Some((item, escaped_to, &text[at..]));
        }
        if is_wrong(c) {
            return None;
        }
        if c == '\\' {
            let (_, escaped) = chars.next()?;
            let item = owned.get_or_insert_with(|| text[..at].to_owned());
            item.push(escaped);
            escaped_to = item.len();
        } else if let Some(owned) = &mut owned {
            owned.push(c);
        }
    }
    Some((owned.map_or(Cow::Borrowed(text), Cow::Owned), escaped_to, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<Option<String>>, NoArray> {
        items(text).map(|item| item.map(|item| item.map(Cow::into_owned))).collect()
    }

    fn some(items: &[&str]) -> Result<Vec<Option<String>>, NoArray> {
        Ok(items.iter().map(|item| Some((*item).to_owned())).collect())
    }

    #[test]
    fn arrays_are_read_as_postgresql_reads_them() {
        assert_eq!(read("{}"), Ok(vec![]));
        assert_eq!(read(" { } "), Ok(vec![]));
        assert_eq!(read(r#"{红茶, "a,\"b\"" ,c\,d}"#), some(&["红茶", "a,\"b\"", "c,d"]));
        assert_eq!(read(r#"{NULL,"NULL",null, a b }"#).map(|items| items[0].clone()), Ok(None));
        assert_eq!(read(r#"{"NULL", a b }"#), some(&["NULL", "a b"]));
        assert_eq!(read(r#"{a\,b , \ ,a\  , \a b }"#), some(&["a,b", " ", "a ", "a b"]));
        assert_eq!(read(r#"{"a\"b","c\\d",""}"#), some(&["a\"b", "c\\d", ""]));
        for wrong in ["", "a,b", "{a", "a}", "{{1},{2}}", "{a,}", "{,a}", "{a,,b}", "{\"a\"b}", "{a\"b}", "{a\\"] {
            assert_eq!(read(wrong), Err(NoArray), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_quoted_is_read_as_it_was(texts in proptest::collection::vec("\\PC*", 1..8)) {
            let quoted: Vec<String> =
                texts.iter().map(|t| format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\""))).collect();
            let expected: Vec<Option<String>> = texts.into_iter().map(Some).collect();
            prop_assert_eq!(read(&format!("{{{}}}", quoted.join(","))), Ok(expected));
        }
    }
}
