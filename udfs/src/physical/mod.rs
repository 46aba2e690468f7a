//! Rules over physical plans.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_plan::ExecutionPlan;

mod drop_repeats;
mod drop_stepless;
mod drop_touchless;
mod forget_order;
mod journey;
mod one_stage;
mod pooled;
mod read_codes;
mod show_work;

pub use drop_repeats::DropRepeats;
pub use drop_stepless::DropStepless;
pub use drop_touchless::DropTouchless;
pub use forget_order::ForgetOrder;
pub use journey::Journeys;
pub use one_stage::OneStage;
pub use read_codes::{ReadCodes, StoredAsCodes};
pub use show_work::ShowWork;

/// A plan with some operators replaced, from the leaves up; `None` leaves one as it is.
fn replaced(
    plan: Arc<dyn ExecutionPlan>,
    replacement: impl Fn(&Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| Ok(replacement(&plan)?.map_or_else(|| Transformed::no(plan), Transformed::yes))).data()
}
