//! A scan with the filter and the projection above it, and what they do with its texts.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, IsNotNullExpr, IsNullExpr};
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::projection::ProjectionExec;

use super::as_codes::AsCodes;
use super::judge::{is_own, judged_by};
use super::per_text::PerText;

/// `[ProjectionExec] [FilterExec] DataSourceExec`, from above.
pub(super) struct Chain<'a> {
    projection: Option<&'a ProjectionExec>,
    filter: Option<&'a FilterExec>,
    pub(super) config: &'a FileScanConfig,
    scan: &'a Arc<dyn ExecutionPlan>,
    /// What the scan gives, over the columns of the table.
    outputs: Vec<ProjectionExpr>,
}

/// The expressions that go down into the scan, over what it gave before.
#[derive(Default)]
struct Lifted(Vec<(Arc<dyn PhysicalExpr>, Column)>);

impl<'a> Chain<'a> {
    pub(super) fn below(plan: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        let projection = plan.downcast_ref::<ProjectionExec>();
        let below = projection.map_or(plan, |projection| projection.input());
        let filter = below.downcast_ref::<FilterExec>();
        let scan = filter.map_or(below, |filter| filter.input());
        let config = scan.downcast_ref::<DataSourceExec>()?.data_source().downcast_ref::<FileScanConfig>()?;
        let outputs = config.file_source().projection()?.iter().cloned().collect();
        Some(Self { projection, filter, config, scan, outputs })
    }

    /// Whether a column of the table is read, and nowhere but in expressions that may be judged once for each text, or as
    /// one of those columns of the answer that may come as codes.
    pub(super) fn judges_only(&self, table_index: usize, labels: &[usize]) -> bool {
        let is_it = |column: &Column| column.index() == table_index;
        let table = self.config.file_source().table_schema().table_schema();
        let mut is_read = false;
        for output in &self.outputs {
            if output.expr.downcast_ref::<Column>().is_some_and(is_it) {
                continue;
            }
            // What is in the scan already is judged by the adapter, which knows our functions by their names.
            match uses(&output.expr, &is_it, &|part| is_own(part).then(|| judged_by(part, table)).flatten()) {
                Uses::None => {}
                Uses::Judged => is_read = true,
                Uses::Otherwise => return false,
            }
        }
        let given = |column: &Column| {
            self.outputs
                .get(column.index())
                .is_some_and(|output| output.expr.downcast_ref::<Column>().is_some_and(is_it))
        };
        let scan_schema = self.scan.schema();
        let shown = match self.projection {
            Some(_) => self.projected().into_iter().map(|(expr, _)| expr).collect(),
            None => self.shown().into_iter().map(|index| self.column(index)).collect::<Vec<_>>(),
        };
        let shown = shown.iter().enumerate().map(|(place, expr)| (labels.contains(&place), expr));
        for (is_label, expr) in self.filter.map(|filter| (false, filter.predicate())).into_iter().chain(shown) {
            if is_label && expr.downcast_ref::<Column>().is_some_and(given) {
                is_read = true;
                continue;
            }
            match uses(expr, &given, &|part| judged_by(part, &scan_schema)) {
                Uses::None => {}
                Uses::Judged => is_read = true,
                Uses::Otherwise => return false,
            }
        }
        is_read
    }

    /// The columns of the table that come as codes, where these columns of the answer may.
    pub(super) fn coded(&self, labels: &[usize]) -> Vec<usize> {
        let (projected, shown) = (self.projected(), self.shown());
        let output = |label: usize| match self.projection {
            Some(_) => projected.get(label).and_then(|(expr, _)| expr.downcast_ref::<Column>()).map(Column::index),
            None => shown.get(label).copied(),
        };
        let column = |output: usize| self.outputs.get(output)?.expr.downcast_ref::<Column>().map(Column::index);
        labels.iter().filter_map(|label| column(output(*label)?)).collect()
    }

    /// The same operators, with what is judged by `table_indices` computed in the scan, which gives those of them that
    /// are `coded` as codes, and the others no more.
    pub(super) fn with_judges_in_scan(
        &self,
        table_indices: &[usize],
        coded: &[usize],
        config: impl FnOnce(FileScanConfigBuilder) -> FileScanConfigBuilder,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let is_one_of = |index: usize, table_indices: &[usize]| {
            let column = self.outputs.get(index).and_then(|output| output.expr.downcast_ref::<Column>());
            column.is_some_and(|column| table_indices.contains(&column.index()))
        };
        let is_coded = |index: usize| is_one_of(index, coded);
        let goes = |index: usize| is_one_of(index, table_indices) && !is_coded(index);
        let mut lifted = Lifted::default();
        let schema = self.scan.schema();
        let mut lift = |expr: &Arc<dyn PhysicalExpr>| {
            Arc::clone(expr).transform_down(|part| match judged_by(&part, &schema) {
                // The codes themselves say which rows have none.
                Some(column) if is_coded(column.index()) && tests_null_of_column(&part) => {
                    Ok(Transformed::new(part, false, TreeNodeRecursion::Jump))
                }
                Some(column) if is_one_of(column.index(), table_indices) => {
                    let output = schema.fields().len() + lifted.place(&part, column);
                    let given: Arc<dyn PhysicalExpr> = Arc::new(Column::new(&part.to_string(), output));
                    Ok(Transformed::new(given, true, TreeNodeRecursion::Jump))
                }
                _ => Ok(Transformed::no(part)),
            })
        };
        let predicate = self.filter.map(|filter| lift(filter.predicate()).data()).transpose()?;
        let projected = match self.projection {
            Some(_) => {
                let lifted = self.projected().into_iter().map(|(expr, name)| Ok((lift(&expr).data()?, name)));
                Some(lifted.collect::<Result<Vec<_>>>()?)
            }
            None => None,
        };

        // From here on columns are numbered anew: those that stay, then those that were lifted.
        let stays: Vec<usize> = (0..schema.fields().len()).filter(|index| !goes(*index)).collect();
        let place = |index: usize| match index.checked_sub(schema.fields().len()) {
            Some(lifted) => stays.len() + lifted,
            None => stays.partition_point(|kept| *kept < index),
        };
        let renumber = |expr: Arc<dyn PhysicalExpr>, place: &dyn Fn(usize) -> usize| {
            expr.transform(|part| match part.downcast_ref::<Column>() {
                Some(column) => {
                    let column = Column::new(column.name(), place(column.index()));
                    Ok(Transformed::yes(Arc::new(column) as Arc<dyn PhysicalExpr>))
                }
                None => Ok(Transformed::no(part)),
            })
            .data()
        };
        let as_given = |index: usize| match is_coded(index) {
            true => Arc::new(AsCodes::of(self.column(index))) as Arc<dyn PhysicalExpr>,
            false => self.column(index),
        };
        let mut given: Vec<ProjectionExpr> =
            stays.iter().map(|index| ProjectionExpr::new(as_given(*index), schema.field(*index).name())).collect();
        for (expr, column) in lifted.0 {
            let name = expr.to_string();
            let judged = PerText::of(expr, &column, schema.field(column.index()))?;
            given.push(ProjectionExpr::new(Arc::new(judged), name));
        }
        let given = ProjectionExprs::new(given);
        let Some(source) = self.config.file_source().try_pushdown_projection(&given)? else { return Ok(None) };
        let scan = config(FileScanConfigBuilder::from(self.config.clone()).with_source(source)).build();
        let mut plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(scan);

        let mut filtered: Option<Vec<usize>> = None;
        if let (Some(filter), Some(predicate)) = (self.filter, predicate) {
            let shown: Vec<usize> = match &projected {
                Some(projected) => {
                    let mut read: Vec<usize> = projected
                        .iter()
                        .flat_map(|(expr, _)| collect_columns(expr))
                        .map(|it| place(it.index()))
                        .collect();
                    read.sort_unstable();
                    read.dedup();
                    read
                }
                None => self.shown().into_iter().map(place).collect(),
            };
            let rows = FilterExecBuilder::new(renumber(predicate, &place)?, plan)
                .with_default_selectivity(filter.default_selectivity())
                .with_batch_size(filter.batch_size())
                .with_fetch(filter.fetch())
                .apply_projection(Some(shown.clone()))?
                .build()?;
            plan = Arc::new(rows);
            filtered = Some(shown);
        }
        if let Some(projected) = projected {
            let place = |index: usize| match &filtered {
                Some(shown) => shown.binary_search(&place(index)).unwrap_or_else(|missing| missing),
                None => place(index),
            };
            let exprs =
                projected.into_iter().map(|(expr, name)| Ok(ProjectionExpr::new(renumber(expr, &place)?, name)));
            plan = Arc::new(ProjectionExec::try_new(exprs.collect::<Result<Vec<_>>>()?, plan)?);
        }
        Ok(Some(plan))
    }

    /// The expressions of the projection over what the scan gives, with their names.
    fn projected(&self) -> Vec<(Arc<dyn PhysicalExpr>, String)> {
        let shown = self.shown();
        let of_scan = |expr: &Arc<dyn PhysicalExpr>| {
            let over = Arc::clone(expr).transform(|part| match part.downcast_ref::<Column>() {
                Some(column) => Ok(Transformed::yes(self.column(shown[column.index()]))),
                None => Ok(Transformed::no(part)),
            });
            over.map_or_else(|_| Arc::clone(expr), |over| over.data)
        };
        let exprs = self.projection.map(ProjectionExec::expr).unwrap_or_default();
        exprs.iter().map(|projected| (of_scan(&projected.expr), projected.alias.clone())).collect()
    }

    /// The outputs of the scan that the filter gives, or all.
    fn shown(&self) -> Vec<usize> {
        match self.filter.and_then(|filter| filter.projection().as_ref()) {
            Some(shown) => shown.to_vec(),
            None => (0..self.outputs.len()).collect(),
        }
    }

    fn column(&self, output: usize) -> Arc<dyn PhysicalExpr> {
        Arc::new(Column::new(self.scan.schema().field(output).name(), output))
    }
}

impl Lifted {
    /// Which of the lifted ones this is, each once.
    fn place(&mut self, expr: &Arc<dyn PhysicalExpr>, column: Column) -> usize {
        let known = self.0.iter().position(|(known, _)| known.eq(expr));
        known.unwrap_or_else(|| {
            self.0.push((Arc::clone(expr), column));
            self.0.len() - 1
        })
    }
}

/// Whether this is `column IS NULL` or `column IS NOT NULL`.
fn tests_null_of_column(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let tested = expr.downcast_ref::<IsNullExpr>().map(IsNullExpr::arg);
    let tested = tested.or_else(|| expr.downcast_ref::<IsNotNullExpr>().map(IsNotNullExpr::arg));
    tested.is_some_and(|arg| arg.is::<Column>())
}

/// How an expression uses a column.
enum Uses {
    None,
    /// Only where it may be judged once for each text.
    Judged,
    Otherwise,
}

fn uses(
    expr: &Arc<dyn PhysicalExpr>,
    is_it: &dyn Fn(&Column) -> bool,
    judged_by: &dyn Fn(&Arc<dyn PhysicalExpr>) -> Option<Column>,
) -> Uses {
    if judged_by(expr).is_some_and(|column| is_it(&column)) {
        return Uses::Judged;
    }
    if expr.downcast_ref::<Column>().is_some_and(is_it) {
        return Uses::Otherwise;
    }
    expr.children().into_iter().fold(Uses::None, |all, part| match (all, uses(part, is_it, judged_by)) {
        (Uses::Otherwise, _) | (_, Uses::Otherwise) => Uses::Otherwise,
        (Uses::None, Uses::None) => Uses::None,
        _ => Uses::Judged,
    })
}
