//! The text of a view, in which relations that were renamed since stand under their new names.
//!
//! It is never parsed again: where names stand in it is known from the tokens of the statement that made the view.

use std::collections::BTreeMap;
use std::ops::Range;

use datafusion::sql::sqlparser::tokenizer::{Location, Span};

use crate::catalog::name::{QualifiedName, quote_ident};

/// What relations were called when the view was made, and what they are called now.
pub type Renamed = BTreeMap<QualifiedName, QualifiedName>;

/// How a relation is named in a place, which says how another name is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In FROM, with an alias. The span is that of the name without its schema.
    Aliased,
    /// In FROM, without: columns may be written with the name, so it becomes the alias. The span is the same.
    Bare,
    /// As an argument, `attribution_touches(events, ...)`. The span is that of the whole name.
    Argument,
    /// The same behind TABLE, `attribution_touches((TABLE events), ...)`. The span begins at TABLE.
    Command,
    /// The schema before the name in `shop.orders.id`: what has an alias is not called by its schema. The span is that of
    /// the schema and its point.
    Schema,
}

/// A name in a statement.
#[derive(Clone, Debug)]
pub struct Spot {
    pub span: Span,
    pub relation: QualifiedName,
    pub form: Form,
}

/// A name in a text, in bytes.
#[derive(Clone, Debug)]
struct Place {
    range: Range<usize>,
    relation: QualifiedName,
    form: Form,
}

/// A text and the names in it.
#[derive(Clone, Debug)]
pub struct Text {
    written: String,
    /// In the order of the text.
    places: Vec<Place>,
}

impl Text {
    /// A text that stands in its statement at `start`, in which spots are counted as well.
    ///
    /// What no token stands for has no span, and no place. Costs one walk of the text.
    pub fn new(written: String, start: Location, mut spots: Vec<Spot>) -> Self {
        let order = |location: Location| (location.line, location.column);
        spots.retain(|spot| order(spot.span.start) >= order(start) && order(spot.span.end) > order(spot.span.start));
        spots.sort_by_key(|spot| order(spot.span.start));
        spots.dedup_by_key(|spot| order(spot.span.start));
        let locations = spots.iter().flat_map(|spot| [spot.span.start, spot.span.end]);
        let offsets = offsets(&written, start, locations);
        let places = spots.into_iter().zip(offsets.chunks_exact(2)).map(|(spot, ends)| {
            let place = Place { range: ends[0]..ends[1], relation: spot.relation, form: spot.form };
            match place.form {
                Form::Argument => place.with_table_word(&written),
                _ => place,
            }
        });
        let places = places.collect();
        Self { written, places }
    }

    /// The text with the names of now.
    pub fn with(&self, renamed: &Renamed) -> String {
        let mut text = String::with_capacity(self.written.len());
        let mut done = 0;
        for Place { range, relation: was, form } in &self.places {
            let Some(is) = renamed.get(was).filter(|is| *is != was) else { continue };
            let (alias, name) = (quote_ident(&was.name), quote_ident(&is.name));
            text.push_str(&self.written[done..range.start]);
            text.push_str(&match form {
                Form::Aliased => name,
                Form::Bare => format!("{name} AS {alias}"),
                Form::Argument => format!("(SELECT * FROM {is} AS {alias})"),
                Form::Command => format!("SELECT * FROM {is} AS {alias}"),
                Form::Schema => String::new(),
            });
            done = range.end;
        }
        text.push_str(&self.written[done..]);
        text
    }
}

impl Place {
    /// The place with the word TABLE, if it stands before the name.
    fn with_table_word(self, text: &str) -> Self {
        const WORD: &str = "table";
        let before = text[..self.range.start].trim_end();
        let Some(start) = before.len().checked_sub(WORD.len()).filter(|start| before.is_char_boundary(*start)) else {
            return self;
        };
        if !before[start..].eq_ignore_ascii_case(WORD) {
            return self;
        }
        Self { range: start..self.range.end, form: Form::Command, ..self }
    }
}

/// Byte offsets of locations, which come in their order; the text begins at `start`.
fn offsets(text: &str, start: Location, locations: impl Iterator<Item = Location>) -> Vec<usize> {
    let (mut line, mut column) = (start.line, start.column);
    let mut characters = text.char_indices();
    let mut byte = 0;
    let offset_of = |location: Location| {
        while (line, column) < (location.line, location.column) {
            let Some((at, character)) = characters.next() else { break };
            byte = at + character.len_utf8();
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        byte
    };
    locations.map(offset_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text of one line that begins at column 11, with a name at each `[...]`.
    fn text(marked: &str, form: Form) -> Text {
        let mut written = String::new();
        let (mut spots, mut open) = (vec![], 0);
        for character in marked.chars() {
            let column = written.chars().count() as u64 + 11;
            match character {
                '[' => open = column,
                ']' => spots.push(Spot {
                    span: Span::new(Location::new(3, open), Location::new(3, column)),
                    relation: QualifiedName::new("public", "a"),
                    form,
                }),
                other => written.push(other),
            }
        }
        Text::new(written, Location::new(3, 11), spots)
    }

    fn renamed(marked: &str, form: Form, to: &str) -> String {
        text(marked, form).with(&[(QualifiedName::new("public", "a"), QualifiedName::new("public", to))].into())
    }

    #[test]
    fn each_name_is_replaced_where_it_stands() {
        assert_eq!(
            renamed("SELECT '茶 a' FROM [a], x.[A] -- a", Form::Bare, "c"),
            "SELECT '茶 a' FROM c AS a, x.c AS a -- a"
        );
        assert_eq!(renamed("SELECT z.x FROM [\"a\"] z", Form::Aliased, "C d"), "SELECT z.x FROM \"C d\" z");
        assert_eq!(renamed("SELECT [public . ]a.x", Form::Schema, "c"), "SELECT a.x");
        assert_eq!(renamed("f([public.a], x)", Form::Argument, "c"), "f((SELECT * FROM public.c AS a), x)");
        assert_eq!(renamed("f((Table  [a]), x)", Form::Argument, "c"), "f((SELECT * FROM public.c AS a), x)");
    }

    #[test]
    fn a_relation_that_has_its_first_name_again_is_written_as_before() {
        assert_eq!(renamed("SELECT a.x FROM [a]", Form::Bare, "a"), "SELECT a.x FROM a");
        let other = [(QualifiedName::new("public", "b"), QualifiedName::new("public", "c"))].into();
        assert_eq!(text("SELECT a.x FROM [a]", Form::Bare).with(&other), "SELECT a.x FROM a");
    }

    #[test]
    fn what_no_token_stands_for_has_no_place() {
        let spot = Spot { span: Span::empty(), relation: QualifiedName::new("public", "a"), form: Form::Bare };
        let text = Text::new("SELECT 1 FROM a".to_owned(), Location::new(1, 20), vec![spot]);
        assert_eq!(
            text.with(&[(QualifiedName::new("public", "a"), QualifiedName::new("public", "c"))].into()),
            text.written
        );
    }
}
