//! Rules over physical plans.

mod drop_stepless;
mod one_stage;

pub use drop_stepless::DropStepless;
pub use one_stage::OneStage;
