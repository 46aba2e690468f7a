//! What ends a session: a [`Spec`] that cannot be built wrong, and the [`Cause`] that is reported.

use super::{END_WHEN, NEW_WHEN};

/// Why a session starts, in order of precedence (SESSIONS-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The user's first row (SESSIONS-1).
    First,
    /// The gap was exceeded (SESSIONS-2).
    Timeout,
    /// The session before would have lasted too long (SESSIONS-3).
    MaxDuration,
    /// The session before is full (SESSIONS-4).
    MaxEvents,
    /// `new_when` is true for the row (SESSIONS-5).
    Condition,
    /// `end_when` is true for the row before (SESSIONS-6).
    EndCondition,
    /// The `change_of` value changed (SESSIONS-7).
    Change,
    /// A local day began (SESSIONS-8).
    Day,
}

impl Cause {
    /// Every cause, in order of precedence.
    pub const ALL: [Self; 8] = [
        Self::First,
        Self::Timeout,
        Self::MaxDuration,
        Self::MaxEvents,
        Self::Condition,
        Self::EndCondition,
        Self::Change,
        Self::Day,
    ];

    /// The name as users read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Timeout => "timeout",
            Self::MaxDuration => "max_duration",
            Self::MaxEvents => "max_events",
            Self::Condition => "condition",
            Self::EndCondition => "end_condition",
            Self::Change => "change",
            Self::Day => "day",
        }
    }
}

/// Which columns and calendars split sessions beside times and counts; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Splits {
    /// Before a row with [`NEW_WHEN`] (SESSIONS-5).
    pub new_when: bool,
    /// After a row with [`END_WHEN`] (SESSIONS-6).
    pub end_when: bool,
    /// Where the `change_of` value changes (SESSIONS-7).
    pub change: bool,
    /// Where the local day changes (SESSIONS-8).
    pub day: bool,
}

/// What ends a session; valid by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Spec {
    gap_us: i64,
    max_duration_us: Option<i64>,
    max_events: Option<u64>,
    splits: Splits,
}

impl Spec {
    /// A spec; times in microseconds.
    ///
    /// Errors, in this order, for a gap of zero or less, a `max_duration` of zero or less, and a
    /// `max_events` of zero.
    pub fn try_new(
        gap_us: i64,
        max_duration_us: Option<i64>,
        max_events: Option<u64>,
        splits: Splits,
    ) -> Result<Self, SpecError> {
        if gap_us <= 0 {
            return Err(SpecError::Gap { gap_us });
        }
        if let Some(max_duration_us) = max_duration_us.filter(|&limit_us| limit_us <= 0) {
            return Err(SpecError::MaxDuration { max_duration_us });
        }
        if max_events == Some(0) {
            return Err(SpecError::MaxEvents);
        }
        Ok(Self { gap_us, max_duration_us, max_events, splits })
    }

    /// The longest time between rows of one session.
    pub fn gap_us(&self) -> i64 {
        self.gap_us
    }

    /// The longest time from a session's first row to its last.
    pub fn max_duration_us(&self) -> Option<i64> {
        self.max_duration_us
    }

    /// The events of a session after which the next block starts another.
    pub fn max_events(&self) -> Option<u64> {
        self.max_events
    }

    /// What else splits.
    pub fn splits(&self) -> Splits {
        self.splits
    }

    /// Whether only the gap splits, so that nothing but the times can matter.
    pub fn is_gap_only(&self) -> bool {
        self.max_duration_us.is_none() && self.max_events.is_none() && self.splits == Splits::default()
    }

    /// The bits of [`super::Columns::flags`] that count.
    pub(super) fn flag_bits(&self) -> u8 {
        let bit = |is_on: bool, bit: u8| if is_on { bit } else { 0 };
        bit(self.splits.new_when, NEW_WHEN) | bit(self.splits.end_when, END_WHEN)
    }
}

/// Why a spec is not valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// A gap of zero or less.
    Gap {
        /// The gap given, in microseconds.
        gap_us: i64,
    },
    /// A `max_duration` of zero or less.
    MaxDuration {
        /// The duration given, in microseconds.
        max_duration_us: i64,
    },
    /// A `max_events` of zero.
    MaxEvents,
}
