//! Texts read as codes, where a plan only asks which of them a row has.
//!
//! A file with few different texts stores each once, in a dictionary, and codes of a byte or two for the rows. A reader
//! that gives text makes a view of 16 bytes of each code, for a filter to compare it with the same few constants again.
//! Here the reader is asked for the codes; what the plan asks of them is answered once for each text of the dictionary.

mod adapter;
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
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use self::adapter::CodesAdapterFactory;
use self::chain::Chain;
use self::judge::Texts;
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
/// The judging goes into the scan, so that nothing above it sees a column of another type. Goes after the rules of
/// DataFusion, which bring filters and projections to the scan.
#[derive(Debug)]
pub struct ReadCodes;

impl PhysicalOptimizerRule for ReadCodes {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if config.extensions.get::<TributaryOptions>().is_some_and(|options| !options.read_codes) {
            return Ok(plan);
        }
        let read = plan.transform_down(|plan| match Chain::below(&plan) {
            Some(chain) => Ok(match with_codes(&chain)? {
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

fn with_codes(chain: &Chain<'_>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    let config = chain.config;
    let stored = stored_as_codes(config);
    if stored.is_empty() {
        return Ok(None);
    }
    let columns = config.file_schema().fields().iter().enumerate();
    let judged: Vec<(usize, &str)> = columns
        .filter(|(_, field)| Texts::of(field.data_type()).is_some() && stored.contains(&field.name().as_str()))
        .filter(|(index, _)| chain.judges_only(*index))
        .map(|(index, field)| (index, field.name().as_str()))
        .collect();
    if judged.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = judged.iter().map(|(_, name)| *name).collect();
    let groups = config.file_groups.iter().map(|group| asking(group, &names)).collect();
    let indices: Vec<usize> = judged.iter().map(|(index, _)| *index).collect();
    chain.with_judges_in_scan(&indices, |scan| {
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
