//! Rules over physical plans.

mod drop_stepless;
mod drop_touchless;
mod journey;
mod one_stage;
mod show_work;

pub use drop_stepless::DropStepless;
pub use drop_touchless::DropTouchless;
pub use journey::Journeys;
pub use one_stage::OneStage;
pub use show_work::ShowWork;
