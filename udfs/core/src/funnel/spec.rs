//! What a funnel asks: a [`Spec`] that cannot be built wrong.

use std::fmt;

/// The most steps a funnel can have: one bit of a `u64` each.
pub const MAX_STEPS: usize = 64;

/// The strictness of a funnel, each flag as ClickHouse names it.
///
/// Only the combinations of [`Modes::SUPPORTED`] make a [`Spec`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Modes {
    /// The journey ends at the first intruder (FUNNEL-8).
    pub strict_order: bool,
    /// The journey ends at the first repeat of a reached step (FUNNEL-7).
    pub strict_deduplication: bool,
    /// Times of a chain strictly increase (FUNNEL-4).
    pub strict_increase: bool,
    /// A row serves at most one step of a chain (FUNNEL-5).
    pub strict_once: bool,
    /// Under `strict_order`, rows that satisfy only steps not yet due are skipped (FUNNEL-9).
    pub allow_reentry: bool,
}

impl Modes {
    /// No strictness: rows may be reused, times may be equal, intruders are ignored.
    pub const DEFAULT: Self = Self {
        strict_order: false,
        strict_deduplication: false,
        strict_increase: false,
        strict_once: false,
        allow_reentry: false,
    };

    /// Every combination with a meaning fixed by the module's rules and checked against an oracle.
    pub const SUPPORTED: [Self; 8] = [
        Self::DEFAULT,
        Self { strict_order: true, ..Self::DEFAULT },
        Self { strict_deduplication: true, ..Self::DEFAULT },
        Self { strict_increase: true, ..Self::DEFAULT },
        Self { strict_once: true, ..Self::DEFAULT },
        Self { strict_order: true, strict_increase: true, ..Self::DEFAULT },
        Self { strict_deduplication: true, strict_increase: true, ..Self::DEFAULT },
        Self { strict_order: true, allow_reentry: true, ..Self::DEFAULT },
    ];

    /// The names that [`Modes::from_names`] knows, in the order [`Modes::names`] gives them.
    pub const NAMES: [&'static str; 5] =
        ["strict_order", "strict_deduplication", "strict_increase", "strict_once", "allow_reentry"];

    /// The modes that the names ask for, in any order; a name given twice counts once.
    ///
    /// Errors with [`ModesError::Unknown`] for a name outside [`Modes::NAMES`] (names are exact, in
    /// lower case), and as [`Modes::check`] does for a combination that is not supported.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ModesError> {
        let mut modes = Self::DEFAULT;
        for name in names {
            match name {
                "strict_order" => modes.strict_order = true,
                "strict_deduplication" => modes.strict_deduplication = true,
                "strict_increase" => modes.strict_increase = true,
                "strict_once" => modes.strict_once = true,
                "allow_reentry" => modes.allow_reentry = true,
                unknown => {
                    return Err(ModesError::Unknown { name: unknown.to_owned() });
                }
            }
        }
        modes.check()?;
        Ok(modes)
    }

    /// The names of the modes that are on, in the order of [`Modes::NAMES`].
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let on =
            [self.strict_order, self.strict_deduplication, self.strict_increase, self.strict_once, self.allow_reentry];
        Self::NAMES.into_iter().zip(on).filter_map(|(name, on)| on.then_some(name))
    }

    /// Whether the combination is one of [`Modes::SUPPORTED`].
    pub fn check(self) -> Result<(), ModesError> {
        if Self::SUPPORTED.contains(&self) {
            Ok(())
        } else if self.allow_reentry && !self.strict_order {
            Err(ModesError::ReentryWithoutOrder)
        } else {
            Err(ModesError::Unsupported { modes: self })
        }
    }
}

impl fmt::Display for Modes {
    /// The names joined by ` + `, or `no mode`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::DEFAULT {
            return f.write_str("no mode");
        }
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// Whose rules decide the level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    /// The rules of this module, defined over chains.
    #[default]
    Tributary,
    /// The level that ClickHouse's `windowFunnel` gives, its defects included.
    ClickHouse,
}

/// Which of several longest chains is reported (FUNNEL-10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Report {
    /// The chain with the earliest entry.
    #[default]
    First,
    /// The chain with the latest entry.
    Last,
    /// The chain with the shortest time from entry to last step; of equally short ones the
    /// earliest.
    Fastest,
}

/// A valid funnel question. Everything that could be wrong was refused by [`Spec::try_new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    steps: usize,
    window_us: i64,
    modes: Modes,
    compat: Compat,
    report: Report,
}

impl Spec {
    /// A funnel of `steps` steps that must all happen at most `window_us` microseconds after the
    /// first.
    ///
    /// Errors when `steps` is 0 or above [`MAX_STEPS`], when the window is not positive, when the
    /// modes do not combine, and when a report other than the default is asked of ClickHouse's
    /// scan, which leaves no choice (FUNNEL-12).
    pub fn try_new(
        steps: usize,
        window_us: i64,
        modes: Modes,
        compat: Compat,
        report: Report,
    ) -> Result<Self, SpecError> {
        if steps == 0 || steps > MAX_STEPS {
            return Err(SpecError::Steps { steps });
        }
        if window_us <= 0 {
            return Err(SpecError::Window { window_us });
        }
        modes.check().map_err(SpecError::Modes)?;
        if compat == Compat::ClickHouse && report != Report::First {
            return Err(SpecError::ReportUnderClickHouse { report });
        }
        Ok(Self { steps, window_us, modes, compat, report })
    }

    /// How many steps the funnel has: 1 to [`MAX_STEPS`].
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// The longest time from the first step to the last, inclusive, in microseconds; positive.
    pub fn window_us(&self) -> i64 {
        self.window_us
    }

    /// The strictness asked for; one of [`Modes::SUPPORTED`].
    pub fn modes(&self) -> Modes {
        self.modes
    }

    /// Whose rules decide.
    pub fn compat(&self) -> Compat {
        self.compat
    }

    /// Which longest chain [`super::times`] reports.
    pub fn report(&self) -> Report {
        self.report
    }

    /// Whether rows that satisfy no step can change the answer.
    ///
    /// True under `strict_order`, where such a row is an intruder: the caller must keep rows with
    /// mask 0. Otherwise the caller may drop them before it sorts.
    pub fn sees_all_rows(&self) -> bool {
        self.modes.strict_order
    }

    /// A mask with one bit for each step; other bits of a row's mask are ignored.
    pub(super) fn step_bits(&self) -> u64 {
        steps_below(self.steps)
    }

    /// The last moment at which a chain that entered at `entry_us` can still take a step
    /// (FUNNEL-3).
    ///
    /// Infinity plus a window is that infinity, and a sum beyond the range of time saturates.
    pub(super) fn deadline_us(&self, entry_us: i64) -> i64 {
        if entry_us == i64::MIN { i64::MIN } else { entry_us.saturating_add(self.window_us) }
    }
}

/// A mask of the first `count` steps, for `count` from 0 to [`MAX_STEPS`].
pub(super) fn steps_below(count: usize) -> u64 {
    if count >= MAX_STEPS { u64::MAX } else { (1 << count) - 1 }
}

/// Why names or flags are no [`Modes`] that a funnel can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModesError {
    /// A name that is not in [`Modes::NAMES`].
    Unknown {
        /// The name as given.
        name: String,
    },
    /// `allow_reentry` relaxes `strict_order` and says nothing without it.
    ReentryWithoutOrder,
    /// A combination outside [`Modes::SUPPORTED`].
    Unsupported {
        /// The combination as given.
        modes: Modes,
    },
}

impl fmt::Display for ModesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => write!(f, "unknown mode '{name}'; the modes are {}", Modes::NAMES.join(", ")),
            Self::ReentryWithoutOrder => f.write_str(
                "allow_reentry relaxes strict_order and has no meaning without it; use strict_order + allow_reentry",
            ),
            Self::Unsupported { modes } => {
                write!(f, "the modes {modes} do not combine; supported are ")?;
                for (index, supported) in Modes::SUPPORTED.iter().enumerate() {
                    write!(f, "{}{supported}", if index > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ModesError {}

/// Why a funnel question is not valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// No step, or more than [`MAX_STEPS`].
    Steps {
        /// The number of steps given.
        steps: usize,
    },
    /// A window of zero or less.
    Window {
        /// The window given, in microseconds.
        window_us: i64,
    },
    /// Modes that do not combine.
    Modes(ModesError),
    /// ClickHouse's scan ends with one chain; there is none to choose.
    ReportUnderClickHouse {
        /// The report given.
        report: Report,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Steps { steps } => write!(f, "a funnel has 1 to {MAX_STEPS} steps, got {steps}"),
            Self::Window { window_us } => {
                write!(f, "the window must be longer than zero, got {window_us} microseconds")
            }
            Self::Modes(error) => error.fmt(f),
            Self::ReportUnderClickHouse { .. } => f.write_str(
                "report cannot be chosen under compat 'clickhouse', whose scan ends with one chain; leave it out",
            ),
        }
    }
}

impl std::error::Error for SpecError {}
