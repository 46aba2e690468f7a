//! `tributary cluster SOURCE TARGET`, `tributary compact FOLDER` and `tributary check FOLDER`.

use std::io::{IsTerminal, stderr};
use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

use super::serve::stop_at_signal;
use super::{CheckArgs, ClusterArgs, CompactArgs};
use crate::engine::{Engine, EngineOptions};
use crate::error::Result;
use crate::lake::{
    self, AppendOptions, CheckReport, ClusterMeter, ClusterOptions, ClusterPhase, ClusterReport, CompactOptions,
    CompactReport, OLD_FILES_KEPT, append, check_folder, cluster,
};
use crate::limits;
use crate::wire::Shutdown;

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// The keys of a new table, where the user names none.
const KEYS: [&str; 2] = ["user_id", "event_time"];

/// Runs `tributary cluster`.
pub(super) async fn run(args: ClusterArgs) -> Result<ExitCode> {
    let thread_count = threads(args.threads);
    let memory_limit_bytes = args.memory_limit.unwrap_or(limits::CLUSTER_MEMORY_BYTES);
    let (source, target, is_append) = (args.source, args.target, args.append);
    let (user_key, time_key, range_count) = (args.user_key, args.time_key, args.ranges);
    let shown = target.clone();
    let began_at = Instant::now();
    let report = watched(thread_count, ["sampling", "reading", "writing", "publishing"], move |engine, meter| {
        let runtime = Arc::clone(engine.runtime_env());
        engine.spawn(async move {
            if is_append {
                let options = AppendOptions { user_key, time_key, memory_limit_bytes, thread_count };
                return append(&runtime, &source, &target, &options, &meter).await;
            }
            let [user, time] = KEYS.map(str::to_owned);
            let options = ClusterOptions {
                user_key: user_key.unwrap_or(user),
                time_key: time_key.unwrap_or(time),
                range_count,
                memory_limit_bytes,
                thread_count,
            };
            cluster(&runtime, &source, &target, &options, &meter).await
        })
    });
    let ClusterReport { row_count, user_count, range_count, generation, source_byte_count, byte_count } =
        report.await?;
    let appended = match (is_append, row_count) {
        (false, _) => String::new(),
        (true, 0) => ", nothing is appended".to_owned(),
        (true, _) => format!(", appended as generation {generation}"),
    };
    println!(
        "{shown}: {} rows of {} users in {range_count} range{}, {} (from {}), in {:.1} s{appended}",
        HumanCount(row_count),
        HumanCount(user_count),
        if range_count == 1 { "" } else { "s" },
        HumanBytes(byte_count),
        HumanBytes(source_byte_count),
        began_at.elapsed().as_secs_f64(),
    );
    Ok(ExitCode::SUCCESS)
}

/// Runs `tributary compact`.
pub(super) async fn compact(args: CompactArgs) -> Result<ExitCode> {
    let thread_count = threads(args.threads);
    let table = args.table;
    let shown = table.clone();
    let began_at = Instant::now();
    let options = CompactOptions { thread_count, old_files_kept: OLD_FILES_KEPT };
    let report = watched(thread_count, ["listing", "merging", "merging", "publishing"], move |engine, meter| {
        let runtime = Arc::clone(engine.runtime_env());
        engine.spawn(async move { lake::compact(&runtime, &table, &options, &meter).await })
    });
    let CompactReport { range_count, file_count, row_count, old_byte_count, byte_count, generation } = report.await?;
    if range_count == 0 {
        println!("{shown}: each range is one file, nothing is to be merged");
        return Ok(ExitCode::SUCCESS);
    }
    println!(
        "{shown}: {} rows in {file_count} files became {range_count} file{} of generation {generation}, {} (from {}), \
         in {:.1} s",
        HumanCount(row_count),
        if range_count == 1 { "" } else { "s" },
        HumanBytes(byte_count),
        HumanBytes(old_byte_count),
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
    let CheckReport { file_count, generation_count, row_count, findings } = report.await?;
    for finding in &findings {
        println!("{finding}");
    }
    let generations = if generation_count > 1 { format!(" of {generation_count} generations") } else { String::new() };
    let checked = format!("{shown}: {} rows in {file_count} files{generations} were checked", HumanCount(row_count));
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
