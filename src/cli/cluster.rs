//! `tributary cluster SOURCE TARGET` and `tributary check FOLDER`.

use std::io::{IsTerminal, stderr};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use super::serve::stop_at_signal;
use super::{CheckArgs, ClusterArgs};
use crate::engine::{Engine, EngineOptions};
use crate::error::Result;
use crate::lake::{CheckReport, ClusterMeter, ClusterOptions, ClusterPhase, ClusterReport, check_folder, cluster};
use crate::limits;
use crate::wire::Shutdown;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Runs `tributary cluster`.
pub(super) async fn run(args: ClusterArgs) -> Result<ExitCode> {
    let thread_count = threads(args.threads);
    let options = ClusterOptions {
        user_key: args.user_key,
        time_key: args.time_key,
        range_count: args.ranges,
        memory_limit_bytes: args.memory_limit.unwrap_or(limits::CLUSTER_MEMORY_BYTES),
        thread_count,
    };
    let (source, target) = (args.source, args.target);
    let shown = target.clone();
    let began_at = Instant::now();
    let report = watched(thread_count, ["sampling", "reading", "writing", "publishing"], move |engine, meter| {
        let runtime = Arc::clone(engine.runtime_env());
        engine.spawn(async move { cluster(&runtime, &source, &target, &options, &meter).await })
    });
    let ClusterReport { row_count, user_count, range_count, source_byte_count, byte_count } = report.await?;
    println!(
        "{shown}: {} rows of {} users in {range_count} range{}, {} (from {}), in {:.1} s",
        HumanCount(row_count),
        HumanCount(user_count),
        if range_count == 1 { "" } else { "s" },
        HumanBytes(byte_count),
        HumanBytes(source_byte_count),
        began_at.elapsed().as_secs_f64(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Runs `tributary check`. What is wrong is printed, and makes the exit code 1.
pub(super) async fn check(args: CheckArgs) -> Result<ExitCode> {
    let thread_count = threads(args.threads);
    let folder = args.folder;
    let shown = folder.clone();
    let report = watched(thread_count, ["listing", "checking", "checking", "checking"], move |engine, meter| {
        let runtime = Arc::clone(engine.runtime_env());
        engine.spawn(async move { check_folder(&runtime, &folder, thread_count.get(), &meter).await })
    });
    let CheckReport { file_count, row_count, findings } = report.await?;
    for finding in &findings {
        println!("{finding}");
    }
    let checked = format!("{shown}: {} rows in {file_count} files were checked", HumanCount(row_count));
    match findings.len() {
        0 => {
            println!("{checked}, nothing is wrong");
            Ok(ExitCode::SUCCESS)
        }
        count => {
            println!("{checked}, {count} thing{} wrong", if count == 1 { " is" } else { "s are" });
            Ok(ExitCode::FAILURE)
        }
    }
}

fn threads(chosen: Option<NonZeroUsize>) -> NonZeroUsize {
    chosen.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

/// Starts work on threads of its own and shows how far it is, until it ends or a signal ends it.
async fn watched<T: Send + 'static>(
    thread_count: NonZeroUsize,
    names: [&'static str; 4],
    start: impl FnOnce(&Engine, Arc<ClusterMeter>) -> crate::engine::QueryTask<Result<T>>,
) -> Result<T> {
    let engine = Engine::new(&EngineOptions { threads: Some(thread_count), ..EngineOptions::default() })?;
    let meter = Arc::new(ClusterMeter::default());
    let shutdown = Shutdown::default();
    stop_at_signal(shutdown.clone())?;
    let signal = shutdown.begin;
    let mut work = std::pin::pin!(start(&engine, Arc::clone(&meter)).join());
    let mut display = Display::new(names);
    loop {
        tokio::select! {
            done = &mut work => {
                display.end();
                return done?;
            }
            () = signal.cancelled(), if !signal.is_cancelled() => meter.stop(),
            () = tokio::time::sleep(TICK) => {
                if signal.is_cancelled() {
                    meter.stop();
                }
                display.show(&meter);
            }
        }
    }
}

/// A bar on a terminal; elsewhere a line for each phase.
struct Display {
    names: [&'static str; 4],
    phase: Option<ClusterPhase>,
    bar: ProgressBar,
}

impl Display {
    fn new(names: [&'static str; 4]) -> Self {
        Self { names, phase: None, bar: ProgressBar::hidden() }
    }

    fn show(&mut self, meter: &ClusterMeter) {
        let (phase, done, total) = meter.reading();
        let is_terminal = stderr().is_terminal();
        if self.phase != Some(phase) {
            self.end();
            self.phase = Some(phase);
            let name = self.names[phase as usize];
            match is_terminal {
                true => self.bar = ProgressBar::new(0).with_message(name),
                false => eprintln!("{name}"),
            }
        }
        if is_terminal {
            self.bar.set_style(style(phase, total));
            self.bar.set_length(total.max(done));
            self.bar.set_position(done);
        }
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Rate and remaining time, as far as the whole is known.
fn style(phase: ClusterPhase, total: u64) -> ProgressStyle {
    let template = match (phase, total) {
        (ClusterPhase::Publishing, _) => "{msg:10} {bar:30} {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        (_, 0) => "{msg:10} {human_pos} rows, {per_sec}",
        (_, _) => "{msg:10} {bar:30} {human_pos}/{human_len} rows, {per_sec}, {eta} left",
    };
    // The template is ours: were it wrong, the plain bar would do.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
