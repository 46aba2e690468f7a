//! Texts read as codes, where a plan only asks which of them a row has.
//!
//! A file with few different texts stores each once, in a dictionary, and codes of a byte or two for the rows. A reader
//! that gives text makes a view of 16 bytes of each code, for a filter to compare it with the same few constants again.
//! Here the reader is asked for the codes; what the plan asks of them is answered once for each text of the dictionary.
//! An attribution, which numbers its channels itself, is given the codes of the file.

mod adapter;
mod as_codes;
mod chain;
mod judge;
mod per_text;

use std::sync::Arc;

use datafusion::arrow::datatypes::{FieldRef, Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::{ExecutionPlan, InputOrderMode};

use self::adapter::CodesAdapterFactory;
use self::chain::Chain;
use self::judge::Texts;
use super::one_stage::{is_one_stage, rebuilt};
use crate::attribution::Attribution;
use crate::options::TributaryOptions;

/// What a source knows of one of its Parquet files: an extension of
/// [`PartitionedFile`](datafusion::datasource::listing::PartitionedFile) that lets [`ReadCodes`] ask for codes.
///
/// Without it a file is read as before, and rightly so: codes of a column that is not stored in dictionaries would have
/// to be made, one hash table a batch.
#[derive(Clone, Debug)]
pub struct StoredAsCodes {
    /// The file's own columns, in types that its reader can give.
    pub schema: SchemaRef,
    /// Names of those whose texts are stored in dictionaries in every row group.
    pub columns: Arc<[String]>,
}

/// Asks the reader for codes of text columns that are only judged: compared with constants, or read by `STEP_MASK` and
/// `TAG_MATCH`.
///
/// The judging goes into the scan, so that nothing above it sees a column of another type; nothing but the aggregation of
/// an attribution right above the scan, whose channels come as codes. Goes after the rules of DataFusion, which bring
/// filters and projections to the scan.
#[derive(Debug)]
pub struct ReadCodes;

impl PhysicalOptimizerRule for ReadCodes {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.read_codes) {
            return Ok(plan);
        }
        let read = plan.transform_down(|plan| match Chain::below(&plan) {
            None if plan.is::<AggregateExec>() => Ok(match with_channels_as_codes(&plan)? {
                Some(read) => Transformed::new(read, true, TreeNodeRecursion::Jump),
                None => Transformed::no(plan),
            }),
            Some(chain) => Ok(match with_codes(&chain, &[])? {
                Some(codes) if codes.schema() == plan.schema() => {
                    Transformed::new(codes, true, TreeNodeRecursion::Jump)
                }
                _ => Transformed::new(plan, false, TreeNodeRecursion::Jump),
            }),
            None => Ok(Transformed::no(plan)),
        });
        read.data()
    }

    fn name(&self) -> &str {
        "tributary_read_codes"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// An aggregation whose attributions are given their channels as codes; `None` if there is none right above a scan.
///
/// Not below an exchange, which would bring rows of many dictionaries together.
fn with_channels_as_codes(plan: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else { return Ok(None) };
    let Some(chain) = Chain::below(aggregate.input()) else { return Ok(None) };
    let is_sorted = *aggregate.input_order_mode() == InputOrderMode::Sorted;
    let channels = channels(aggregate);
    if !is_one_stage(aggregate) || !is_sorted || aggregate.limit_options().is_some() || channels.is_empty() {
        return Ok(None);
    }
    let Some(input) = with_codes(&chain, &channels)? else { return Ok(None) };
    let schema = input.schema();
    let functions = aggregate
        .aggr_expr()
        .iter()
        .map(|it| rebuilt(it, it.fun().clone(), it.expressions().to_vec(), it.order_bys().to_vec(), &schema));
    let functions = functions.collect::<Result<Vec<_>>>()?;
    let (keys, filters) = (aggregate.group_expr().clone(), aggregate.filter_expr().to_vec());
    let read = AggregateExec::try_new(*aggregate.mode(), keys, functions, filters, input, schema)?;
    // The operators above were made for these columns and this order.
    let is_same = read.schema() == plan.schema() && *read.input_order_mode() == InputOrderMode::Sorted;
    Ok(is_same.then(|| Arc::new(read) as _))
}

/// The columns that an aggregation reads as the channels of attributions, and as nothing else.
fn channels(aggregate: &AggregateExec) -> Vec<usize> {
    let (mut channels, mut others) = (vec![], vec![]);
    for function in aggregate.aggr_expr() {
        let channel = function.fun().inner().downcast_ref::<Attribution>().and_then(Attribution::channel_argument);
        for (place, argument) in function.expressions().iter().enumerate() {
            match argument.downcast_ref::<Column>().filter(|_| channel == Some(place)) {
                Some(column) => channels.push(column.index()),
                None => others.extend(collect_columns(argument)),
            }
        }
        others.extend(function.order_bys().iter().flat_map(|by| collect_columns(&by.expr)));
    }
    let conditions = aggregate.filter_expr().iter().flatten().cloned();
    others
        .extend(aggregate.group_expr().input_exprs().into_iter().chain(conditions).flat_map(|it| collect_columns(&it)));
    channels.retain(|channel| others.iter().all(|other| other.index() != *channel));
    channels
}

/// The chain with what it judges by codes in the scan; these of its columns may come as codes.
fn with_codes(chain: &Chain<'_>, labels: &[usize]) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let config = chain.config;
    let stored = stored_as_codes(config);
    if stored.is_empty() {
        return Ok(None);
    }
    let columns = config.file_schema().fields().iter().enumerate();
    let judged: Vec<(usize, &str)> = columns
        .filter(|(_, field)| Texts::of(field.data_type()).is_some() && stored.contains(&field.name().as_str()))
        .filter(|(index, _)| chain.judges_only(*index, labels))
        .map(|(index, field)| (index, field.name().as_str()))
        .collect();
    if judged.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = judged.iter().map(|(_, name)| *name).collect();
    let groups = config.file_groups.iter().map(|group| asking(group, &names)).collect();
    let indices: Vec<usize> = judged.iter().map(|(index, _)| *index).collect();
    let mut coded = chain.coded(labels);
    coded.retain(|index| indices.contains(index));
    chain.with_judges_in_scan(&indices, &coded, |scan| {
        let adapter = CodesAdapterFactory::over(config.expr_adapter_factory.clone());
        scan.with_file_groups(groups).with_expr_adapter(Some(Arc::new(adapter)))
    })
}

/// The columns that some file stores as codes.
fn stored_as_codes(config: &FileScanConfig) -> Vec<&str> {
    let files = config.file_groups.iter().flat_map(FileGroup::iter);
    let mut columns: Vec<&str> = files
        .filter_map(|file| file.extensions.get::<StoredAsCodes>())
        .flat_map(|stored| stored.columns.iter().map(String::as_str))
        .collect();
    columns.sort_unstable();
    columns.dedup();
    columns
}

/// The files, those that can asked for codes of the columns.
fn asking(group: &FileGroup, names: &[&str]) -> FileGroup {
    let files = group.iter().map(|file| match file.extensions.get::<StoredAsCodes>() {
        Some(stored) => asked(file, stored, names),
        None => file.clone(),
    });
    let asked = FileGroup::new(files.collect());
    match group.file_statistics(None) {
        Some(statistics) => asked.with_statistics(Arc::new(statistics.clone())),
        None => asked,
    }
}

fn asked(file: &PartitionedFile, stored: &StoredAsCodes, names: &[&str]) -> PartitionedFile {
    let as_codes = |field: &FieldRef| {
        let is_asked = names.contains(&field.name().as_str()) && stored.columns.contains(field.name());
        match Texts::as_codes(field.data_type()).filter(|_| is_asked) {
            Some(codes) => Arc::new(field.as_ref().clone().with_data_type(codes)),
            None => Arc::clone(field),
        }
    };
    let fields: Vec<FieldRef> = stored.schema.fields().iter().map(as_codes).collect();
    let schema = Schema::new_with_metadata(fields, stored.schema.metadata().clone());
    file.clone().with_arrow_schema(Arc::new(schema))
}
