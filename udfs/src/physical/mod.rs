//! Rules over physical plans.

mod drop_stepless;
mod one_stage;
mod show_work;

pub use drop_stepless::DropStepless;
pub use one_stage::OneStage;
pub use show_work::ShowWork;
