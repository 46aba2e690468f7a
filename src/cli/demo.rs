use super::DemoArgs;
use crate::error::Result;
use std::process::ExitCode;
pub(super) async fn run(_args: DemoArgs) -> Result<ExitCode> { Ok(ExitCode::SUCCESS) }
