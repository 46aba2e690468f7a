//! A list of models from text: one pass, no recursion, every fault with its place.

use std::borrow::Cow;

use super::duration;
use super::error::{ModelError, ModelFault};
use super::model::{Model, Models, NAMES, Rule};

/// Shares may miss their sum by what writing them in decimals costs.
const TOLERANCE: f64 = 1e-9;

struct Argument<'a> {
    text: Cow<'a, str>,
    position: usize,
    is_quoted: bool,
}

/// See [`Models::parse`].
pub(super) fn models(text: &str) -> Result<Models, ModelError> {
    let mut cursor = Cursor { text, position: 0 };
    let mut models: Vec<Model> = Vec::new();
    cursor.skip_space();
    if cursor.peek().is_none() {
        return Err(cursor.fault(ModelFault::Empty));
    }
    loop {
        cursor.skip_space();
        let position = cursor.position;
        if models.len() == Models::MAX {
            return Err(cursor.fault(ModelFault::TooMany { what: "models", limit: Models::MAX }));
        }
        let model = cursor.model()?;
        if models.iter().any(|earlier| earlier.text == model.text) {
            return Err(ModelError { position, fault: ModelFault::Duplicate { model: shortened(&model.text) } });
        }
        models.push(model);
        cursor.skip_space();
        match cursor.peek() {
            None => return Ok(Models(models)),
            Some(',' | '，') => cursor.bump(),
            Some(_) => return Err(cursor.expected("a comma between two models")),
        }
    }
}

/// At most 40 characters of what was given.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) {
        self.position += self.peek().map_or(0, char::len_utf8);
    }

    /// Moves past the characters for which `is_inside` holds, and gives them.
    fn take_while(&mut self, is_inside: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !is_inside(c)).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn fault(&self, fault: ModelFault) -> ModelError {
        ModelError { position: self.position, fault }
    }

    fn expected(&self, expected: &'static str) -> ModelError {
        let given = self.rest().chars().take(41).collect::<String>();
        self.fault(ModelFault::Expected { expected, given: shortened(given.trim_end()) })
    }

    fn model(&mut self) -> Result<Model, ModelError> {
        let position = self.position;
        let given = self.take_while(|c| c.is_alphanumeric() || c == '_');
        if given.is_empty() {
            return Err(self.expected("a model"));
        }
        let Some(name) = NAMES.into_iter().find(|name| name.eq_ignore_ascii_case(given)) else {
            let fault = ModelFault::Unknown { given: shortened(given), nearest: nearest(given) };
            return Err(ModelError { position, fault });
        };
        self.skip_space();
        let arguments = if let Some('(' | '（') = self.peek() { self.arguments()? } else { Vec::new() };
        model(name, position, &arguments)
    }

    /// What stands between the parenthesis here and its twin.
    fn arguments(&mut self) -> Result<Vec<Argument<'a>>, ModelError> {
        let opened = self.position;
        let unclosed = ModelError { position: opened, fault: ModelFault::Unclosed { what: "parenthesis" } };
        self.bump();
        let mut arguments = Vec::new();
        self.skip_space();
        if let Some(')' | '）') = self.peek() {
            self.bump();
            return Ok(arguments);
        }
        loop {
            self.skip_space();
            if self.peek().is_none() {
                return Err(unclosed);
            }
            if arguments.len() == Models::MAX_ARGUMENTS {
                return Err(self.fault(ModelFault::TooMany { what: "arguments", limit: Models::MAX_ARGUMENTS }));
            }
            arguments.push(if let Some('\'') = self.peek() { self.quoted()? } else { self.bare()? });
            self.skip_space();
            match self.peek() {
                None => return Err(unclosed),
                Some(',' | '，') => self.bump(),
                Some(')' | '）') => {
                    self.bump();
                    return Ok(arguments);
                }
                Some(_) => return Err(self.expected("a comma or a closing parenthesis")),
            }
        }
    }

    fn quoted(&mut self) -> Result<Argument<'a>, ModelError> {
        let position = self.position;
        let mut text = Cow::Borrowed("");
        loop {
            self.bump();
            let part = self.take_while(|c| c != '\'');
            if self.peek().is_none() {
                return Err(ModelError { position, fault: ModelFault::Unclosed { what: "quote" } });
            }
            if text.is_empty() {
                text = Cow::Borrowed(part)
            } else {
                text.to_mut().push_str(part)
            }
            self.bump();
            if self.peek() != Some('\'') {
                return Ok(Argument { text, position, is_quoted: true });
            }
            text.to_mut().push('\'');
        }
    }

    fn bare(&mut self) -> Result<Argument<'a>, ModelError> {
        let position = self.position;
        let text = self.take_while(|c| !matches!(c, ',' | '，' | '(' | '（' | ')' | '）' | '\'')).trim_end();
        if text.is_empty() {
            return Err(self.expected("an argument"));
        }
        Ok(Argument { text: Cow::Borrowed(text), position, is_quoted: false })
    }
}

fn model(name: &'static str, position: usize, arguments: &[Argument]) -> Result<Model, ModelError> {
    let count_is = |is_right: bool, usage: &'static str| {
        let fault = ModelFault::ArgumentCount { model: name, given: arguments.len(), usage };
        if is_right { Ok(()) } else { Err(ModelError { position, fault }) }
    };
    let count = arguments.len();
    let (rule, written) = match name {
        "first" | "last" | "linear" | "participation" | "linear_position" => {
            let rule = match name {
                "first" => Rule::First,
                "last" => Rule::Last,
                "linear" => Rule::Linear,
                "participation" => Rule::Participation,
                _ => Rule::LinearPosition,
            };
            count_is(count == 0, "it without arguments")?;
            (rule, None)
        }
        "last_non" => {
            count_is(count > 0, "last_non(direct)")?;
            let labels = labels(arguments)?;
            let written = labels.iter().map(|label| quoted_if_needed(label)).collect::<Vec<_>>();
            (Rule::LastNon { labels }, Some(written.join(", ")))
        }
        "time_decay" => {
            count_is(count == 1, "time_decay(7 days), with the half-life")?;
            let given = &arguments[0];
            let (half_life_us, written) = duration::parse(&given.text).map_err(|fault| ModelError {
                position: given.position,
                fault: ModelFault::HalfLife { given: shortened(&given.text), fault },
            })?;
            (Rule::TimeDecay { half_life_us }, Some(written))
        }
        _ => {
            let shares = arguments.iter().map(|argument| share(name, argument)).collect::<Result<Vec<_>, _>>()?;
            let sum: f64 = shares.iter().sum();
            let sums_to = |is_right: bool, allowed: &'static str| {
                let fault = ModelFault::Sum { model: name, sum, allowed };
                if is_right { Ok(()) } else { Err(ModelError { position, fault }) }
            };
            let written = shares.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
            let rule = match name {
                "position" => {
                    count_is(count == 2 || count == 3, "position(0.4, 0.4) or position(0.4, 0.2, 0.4)")?;
                    if count == 2 {
                        sums_to(sum <= 1.0 + TOLERANCE, "at most 1")?;
                        Rule::Position { first: shares[0], middle: (1.0 - sum).max(0.0), last: shares[1] }
                    } else {
                        sums_to((sum - 1.0).abs() <= TOLERANCE, "1")?;
                        Rule::Position { first: shares[0], middle: shares[1], last: shares[2] }
                    }
                }
                "geometric" => {
                    count_is(count == 1, "geometric(0.5)")?;
                    if shares[0] == 0.0 {
                        let (given, allowed) = (shortened(&arguments[0].text), "above 0 and at most 1");
                        let fault = ModelFault::OutOfRange { model: name, given, allowed };
                        return Err(ModelError { position: arguments[0].position, fault });
                    }
                    Rule::Geometric { ratio: shares[0] }
                }
                "milestones" => {
                    count_is(count >= 2, "milestones(0.3, 0.3, 0.3): the first touch, then each milestone")?;
                    sums_to(sum <= 1.0 + TOLERANCE, "at most 1")?;
                    Rule::Milestones { weights: shares }
                }
                _ => {
                    count_is(count > 0, "weights(0.5, 0.3, 0.2)")?;
                    sums_to((sum - 1.0).abs() <= TOLERANCE, "1")?;
                    Rule::Weights { weights: shares }
                }
            };
            (rule, Some(written))
        }
    };
    let text = written.map_or_else(|| name.to_owned(), |written| format!("{name}({written})"));
    Ok(Model { rule, text })
}

fn labels(arguments: &[Argument]) -> Result<Vec<String>, ModelError> {
    let label = |argument: &Argument| {
        if !argument.is_quoted && argument.text.contains(char::is_whitespace) {
            let fault = ModelFault::LabelWithSpace { given: shortened(&argument.text) };
            return Err(ModelError { position: argument.position, fault });
        }
        Ok(argument.text.clone().into_owned())
    };
    arguments.iter().map(label).collect()
}

fn share(model: &'static str, argument: &Argument) -> Result<f64, ModelError> {
    let fault = |fault| ModelError { position: argument.position, fault };
    let given = || shortened(&argument.text);
    // Rust would also read `inf` and `nan`.
    let is_written_in_digits =
        argument.text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | 'e' | 'E'));
    let number: Option<f64> = if is_written_in_digits { argument.text.parse().ok() } else { None };
    let number = number.ok_or_else(|| fault(ModelFault::NotANumber { model, given: given() }))?;
    if !(0.0..=1.0).contains(&number) {
        return Err(fault(ModelFault::OutOfRange { model, given: given(), allowed: "between 0 and 1" }));
    }
    // A minus before a zero says nothing.
    Ok(number.abs())
}

fn quoted_if_needed(label: &str) -> String {
    let is_special = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '(' | '（' | ')' | '）' | '\'');
    if label.is_empty() || label.contains(is_special) {
        format!("'{}'", label.replace('\'', "''"))
    } else {
        label.to_owned()
    }
}

/// The name that is a few letters away, if one is.
fn nearest(given: &str) -> Option<&'static str> {
    let given: Vec<char> = given.chars().take(32).flat_map(char::to_lowercase).collect();
    let distance = |name: &str| {
        let mut row: Vec<usize> = (0..=given.len()).collect();
        for (done, letter) in name.chars().enumerate() {
            let mut diagonal = std::mem::replace(&mut row[0], done + 1);
            for (at, &other) in given.iter().enumerate() {
                let replaced = diagonal + usize::from(letter != other);
                diagonal = row[at + 1];
                row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
            }
        }
        row[given.len()]
    };
    NAMES
        .into_iter()
        .map(|name| (distance(name), name))
        .min()
        .filter(|&(far, name)| far <= name.len() / 3)
        .map(|(_, name)| name)
}
