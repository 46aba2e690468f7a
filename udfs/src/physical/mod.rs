//! Rules over physical plans.

mod one_stage;

pub use one_stage::OneStage;
