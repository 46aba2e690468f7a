//! Expressions over the table, over a file that gives codes.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
};

use super::as_codes::AsCodes;
use super::judge::{is_own, judged_by, uncast};
use super::per_text::PerText;

/// Adapts as the factory below it does, which brings codes back to text, and takes that cast away where codes are read.
#[derive(Debug)]
pub(super) struct CodesAdapterFactory {
    below: Arc<dyn PhysicalExprAdapterFactory>,
}

impl CodesAdapterFactory {
    pub(super) fn over(below: Option<Arc<dyn PhysicalExprAdapterFactory>>) -> Self {
        Self { below: below.unwrap_or_else(|| Arc::new(DefaultPhysicalExprAdapterFactory)) }
    }
}

impl PhysicalExprAdapterFactory for CodesAdapterFactory {
    fn create(&self, table: SchemaRef, file: SchemaRef) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let below = self.below.create(Arc::clone(&table), Arc::clone(&file))?;
        Ok(Arc::new(CodesAdapter { below, table, file }))
    }
}

#[derive(Debug)]
struct CodesAdapter {
    below: Arc<dyn PhysicalExprAdapter>,
    table: SchemaRef,
    file: SchemaRef,
}

impl PhysicalExprAdapter for CodesAdapter {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        // Our functions that were in the scan before the rule came.
        let judged = expr.transform_down(|part| {
            if read_by_codes(&part).is_some() {
                return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
            }
            match is_own(&part).then(|| judged_by(&part, &self.table)).flatten() {
                Some(column) if self.is_stored_otherwise(&column) => {
                    let field = self.table.field(column.index());
                    let judged = Arc::new(PerText::of(part, &column, field)?);
                    Ok(Transformed::new(judged as _, true, TreeNodeRecursion::Jump))
                }
                _ => Ok(Transformed::no(part)),
            }
        });
        let adapted = self.below.rewrite(judged.data()?)?;
        let read_as_codes = adapted.transform_down(|part| match read_by_codes(&part) {
            Some(input) => match uncast(input).filter(|column| is_codes(column, &self.file)).cloned() {
                Some(column) => {
                    let judged = Arc::clone(&part).with_new_children(vec![column])?;
                    Ok(Transformed::new(judged, true, TreeNodeRecursion::Jump))
                }
                None => Ok(Transformed::new(part, false, TreeNodeRecursion::Jump)),
            },
            None => Ok(Transformed::no(part)),
        });
        read_as_codes.data()
    }
}

impl CodesAdapter {
    fn is_stored_otherwise(&self, column: &Column) -> bool {
        let stored = self.file.field_with_name(column.name());
        stored.is_ok_and(|field| field.data_type() != self.table.field(column.index()).data_type())
    }
}

/// What gives the column of an expression that reads texts or codes.
fn read_by_codes(expr: &Arc<dyn PhysicalExpr>) -> Option<&Arc<dyn PhysicalExpr>> {
    let judged = expr.downcast_ref::<PerText>().map(PerText::input);
    judged.or_else(|| expr.downcast_ref::<AsCodes>().map(AsCodes::input))
}

fn is_codes(column: &Arc<dyn PhysicalExpr>, file: &Schema) -> bool {
    use datafusion::arrow::datatypes::DataType::{Dictionary, LargeList, List};
    match column.data_type(file) {
        Ok(Dictionary(..)) => true,
        Ok(List(item) | LargeList(item)) => matches!(item.data_type(), Dictionary(..)),
        _ => false,
    }
}
