//! What an attribution asks: a [`Spec`] that cannot be built wrong, and the [`Plan`] that knows the
//! codes of its labels.

use std::fmt;

use super::model::{Model, Models, Rule};
use super::rows::{CONVERSION, TOUCH, milestone};

/// The most milestones a spec can have: the bits that a row's kind has left.
pub const MAX_MILESTONES: usize = 62;

/// Which touches an earlier conversion takes from a later one (ATTRIBUTION-5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consume {
    /// None: every conversion looks back on its own.
    #[default]
    None,
    /// Those up to and at its time: a conversion sees what happened since the previous one.
    SinceLast,
}

/// What a call may say beside its models; the default says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    /// How far a conversion looks back, inclusive, in microseconds; without it, to the beginning.
    pub lookback_us: Option<i64>,
    /// How many touches it looks back; with `lookback_us` both hold.
    pub lookback_touches: Option<u32>,
    /// Whether earlier conversions use touches up.
    pub consume: Consume,
    /// Whether a channel counts once for a conversion (ATTRIBUTION-6).
    pub per_channel_once: bool,
    /// Whether a row that is touch and conversion is a touch for itself.
    pub include_self: bool,
    /// How many milestone conditions there are.
    pub milestones: usize,
}

/// A valid question of attribution. Everything that could be wrong was refused by
/// [`Spec::try_new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    models: Models,
    options: Options,
}

impl Spec {
    /// The question how `models` divide conversions under `options`.
    ///
    /// Errors when a lookback is not positive, when there are more than [`MAX_MILESTONES`], and
    /// when a `milestones` model does not have one weight for the first touch and one for each
    /// milestone.
    pub fn try_new(models: Models, options: Options) -> Result<Self, SpecError> {
        if let Some(lookback_us) = options.lookback_us.filter(|&lookback_us| lookback_us <= 0) {
            return Err(SpecError::Lookback { lookback_us });
        }
        if options.lookback_touches == Some(0) {
            return Err(SpecError::LookbackTouches);
        }
        if options.milestones > MAX_MILESTONES {
            return Err(SpecError::Milestones { milestones: options.milestones });
        }
        for model in models.iter() {
            if let Rule::Milestones { weights } = model.rule()
                && weights.len() != options.milestones + 1
            {
                return Err(SpecError::MilestoneWeights {
                    model: model.text().to_owned(),
                    weights: weights.len(),
                    milestones: options.milestones,
                });
            }
        }
        Ok(Self { models, options })
    }

    /// The models, in the order of the answers' model indexes.
    pub fn models(&self) -> &Models {
        &self.models
    }

    /// Everything else that was said.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Whether a row of this kind can change an answer; other rows may be left out.
    ///
    /// `kind` as in [`super::User::kinds`]. The touch bit of a row without a channel should be
    /// cleared before asking.
    pub fn needs(&self, kind: u64) -> bool {
        kind & self.kind_bits() != 0
    }

    /// The bits of a row's kind that have a meaning here.
    pub(super) fn kind_bits(&self) -> u64 {
        (0..self.options.milestones).fold(TOUCH | CONVERSION, |bits, index| bits | milestone(index))
    }

    /// The plan over columns whose channels are codes: `code` gives that of a label, or `None` where
    /// no row has the label. Labels compare as they are written, letter by letter.
    pub fn resolve(&self, mut code: impl FnMut(&str) -> Option<u32>) -> Plan {
        let mut skipped_of = |model: &Model| {
            let Rule::LastNon { labels } = model.rule() else { return Vec::new() };
            let mut skipped: Vec<u32> = labels.iter().filter_map(|label| code(label)).collect();
            skipped.sort_unstable();
            skipped.dedup();
            skipped
        };
        let skipped = self.models.iter().map(&mut skipped_of).collect();
        let needs_kept =
            self.options.per_channel_once || self.models.iter().any(|model| *model.rule() == Rule::Participation);
        Plan { spec: self.clone(), skipped, needs_kept }
    }
}

/// A [`Spec`] over columns whose channels are codes; made by [`Spec::resolve`].
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub(super) spec: Spec,
    /// For each model the codes that `last_non` passes over, ascending.
    pub(super) skipped: Vec<Vec<u32>>,
    /// Some answer depends on which touch of a channel is its last.
    pub(super) needs_kept: bool,
}

impl Plan {
    /// The question that this plan answers.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }
}

/// Why a question of attribution is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// A lookback of zero or less.
    Lookback {
        /// The lookback given, in microseconds.
        lookback_us: i64,
    },
    /// A lookback of no touches.
    LookbackTouches,
    /// More than [`MAX_MILESTONES`].
    Milestones {
        /// How many were given.
        milestones: usize,
    },
    /// A `milestones` model whose weights are not one more than the milestones.
    MilestoneWeights {
        /// The model, normalised.
        model: String,
        /// How many weights it has.
        weights: usize,
        /// How many milestones there are.
        milestones: usize,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookback { lookback_us } => {
                write!(f, "the lookback must be longer than zero, got {lookback_us} microseconds")
            }
            Self::LookbackTouches => f.write_str("the lookback in touches must be at least 1, got 0"),
            Self::Milestones { milestones } => {
                write!(f, "there may be at most {MAX_MILESTONES} milestones, got {milestones}")
            }
            Self::MilestoneWeights { model, weights, milestones } => write!(
                f,
                "model {model} has {weights} weights but needs {}: one for the first touch and one for each of the \
                 {milestones} milestones",
                milestones + 1
            ),
        }
    }
}

impl std::error::Error for SpecError {}
