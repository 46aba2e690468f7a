//! The models: how one conversion's credit is divided among the touches it sees.

use std::fmt;

use super::error::ModelError;

/// The names a list of models may use, in the order they are documented.
pub const NAMES: [&str; 11] = [
    "first",
    "last",
    "last_non",
    "linear",
    "position",
    "time_decay",
    "weights",
    "participation",
    "linear_position",
    "geometric",
    "milestones",
];

/// How credit is divided among the touches that a conversion sees (ATTRIBUTION-7).
#[derive(Clone, Debug, PartialEq)]
pub enum Rule {
    /// All to the first touch.
    First,
    /// All to the last touch.
    Last,
    /// All to the last touch whose channel is none of these labels; to the last touch if there is
    /// none.
    LastNon {
        /// The labels to pass over, as written; at least one.
        labels: Vec<String>,
    },
    /// The same to every touch.
    Linear,
    /// `first` and `last` to the ends, `middle` shared by those between; they sum to 1.
    Position {
        /// The share of the first touch.
        first: f64,
        /// The share of all touches between the ends.
        middle: f64,
        /// The share of the last touch.
        last: f64,
    },
    /// Half as much for a touch that is a half-life older.
    TimeDecay {
        /// The half-life in microseconds; positive.
        half_life_us: i64,
    },
    /// By index from the first touch on; further touches get nothing.
    Weights {
        /// The weights; at least one, they sum to 1.
        weights: Vec<f64>,
    },
    /// The full credit to every channel, at its last touch: credits do not sum to conversions.
    Participation,
    /// In proportion to 1, 2, 3 ... from the first touch on.
    LinearPosition,
    /// In proportion to `ratio` to the number of touches that follow.
    Geometric {
        /// Above 0, at most 1.
        ratio: f64,
    },
    /// `weights[0]` to the first touch, `weights[k]` to the touch at or before milestone k, the
    /// rest shares what is left of 1.
    Milestones {
        /// At least two weights that sum to at most 1.
        weights: Vec<f64>,
    },
}

/// One model of a list: its rule, and its name for answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) rule: Rule,
    pub(super) text: String,
}

impl Model {
    /// How the model divides.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The model as written, normalised: `time_decay(7 days)`, `position(0.4, 0.4)`.
    ///
    /// Parsing it gives the same model again.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether the credits of a conversion sum to 1. False for `participation`, whose answers must
    /// not be added up over channels.
    pub fn sums_to_conversions(&self) -> bool {
        self.rule != Rule::Participation
    }
}

impl fmt::Display for Model {
    /// [`Model::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A list of one or more different models.
#[derive(Clone, Debug, PartialEq)]
pub struct Models(pub(super) Vec<Model>);

impl Models {
    /// The most models one call may ask for.
    pub const MAX: usize = 64;

    /// The most labels or weights one model may have.
    pub const MAX_ARGUMENTS: usize = 256;

    /// Reads a list such as `first, last_non(direct, 'sms promo'), time_decay(7 days)`.
    ///
    /// Names are read in any case; full-width `（ ） ，` mean their ASCII twins. Labels with a space,
    /// comma, parenthesis or quote stand in single quotes, a quote inside written twice. Errors say
    /// where and what; cost is linear in the text.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        super::parse::models(text)
    }
}

impl std::ops::Deref for Models {
    type Target = [Model];

    fn deref(&self) -> &[Model] {
        &self.0
    }
}

impl fmt::Display for Models {
    /// The models joined by `, `; parsing it gives the same list again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, model) in self.0.iter().enumerate() {
            write!(f, "{}{model}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
