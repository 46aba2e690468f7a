//! A column of texts as codes.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use super::judge::codes_of_texts;

/// What gives texts, as codes into a dictionary: those of a file that has them, or made for each batch.
#[derive(Debug, Eq, Hash)]
pub(super) struct AsCodes {
    input: Arc<dyn PhysicalExpr>,
}

impl AsCodes {
    pub(super) fn of(input: Arc<dyn PhysicalExpr>) -> Self {
        Self { input }
    }

    /// What gives the texts.
    pub(super) fn input(&self) -> &Arc<dyn PhysicalExpr> {
        &self.input
    }
}

impl PhysicalExpr for AsCodes {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(codes_of_texts())
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.input.nullable(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let column = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        let is_codes = *column.data_type() == codes_of_texts();
        Ok(ColumnarValue::Array(if is_codes { column } else { cast(&column, &codes_of_texts())? }))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [input] = <[_; 1]>::try_from(children).map_err(|_| internal_datafusion_err!("AsCodes has one child"))?;
        Ok(Arc::new(Self { input }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.input.fmt_sql(f)
    }
}

// Derived, it would move out of a pointer to a trait.
impl PartialEq for AsCodes {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input)
    }
}

impl fmt::Display for AsCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "codes({})", self.input)
    }
}
