//! Signs of life where something takes longer than a second.
//!
//! They go to standard error: a bar or a spinner on a terminal, plain lines elsewhere.

use std::future::Future;
use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::lake::Progress;

/// After so long somebody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// What to give to [`super::lake::write`] so that a person sees it work.
pub fn writing() -> impl Fn(Progress<'_>) {
    let bar = stderr().is_terminal().then(|| {
        let bar = ProgressBar::new(1).with_style(
            // The template is ours: were it wrong, the plain bar would do.
            ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.enable_steady_tick(TICK);
        bar
    });
    move |progress| match &bar {
        Some(bar) => {
            bar.set_length(progress.total as u64);
            bar.set_position(progress.done as u64);
            bar.set_message(progress.now.to_owned());
            if progress.done == progress.total {
                bar.finish_and_clear();
            }
        }
        None if progress.done == 0 => eprintln!("making the demo lake: {}", progress.now),
        None if progress.done == progress.total => eprintln!("the demo lake is complete"),
        None => {}
    }
}

/// Waits for `work`, and after a second shows that it waits, and for what.
pub async fn patiently<T>(work: impl Future<Output = T>, what: &str) -> T {
    let mut work = std::pin::pin!(work);
    if let Ok(done) = tokio::time::timeout(PATIENCE, &mut work).await {
        return done;
    }
    if !stderr().is_terminal() {
        eprintln!("waiting for {what}");
        return work.await;
    }
    let spinner = ProgressBar::new_spinner().with_message(format!("waiting for {what}"));
    spinner.enable_steady_tick(TICK);
    let done = work.await;
    spinner.finish_and_clear();
    done
}
