//! An expression over one column of texts, evaluated once for each different text.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, UInt32Array, new_null_array};
use datafusion::arrow::buffer::BooleanBuffer;
use datafusion::arrow::compute::{cast, concat, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Schema, SchemaRef};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// `expr` over one column, which may come as text or as codes into a dictionary of texts.
///
/// A dictionary is judged once, its texts and NULL; each row then takes the answer of its code. Text, lists, and
/// dictionaries with more texts than rows are judged row by row.
pub(super) struct PerText {
    /// Over the one column of `schema`.
    expr: Arc<dyn PhysicalExpr>,
    /// The column as the table has it.
    schema: SchemaRef,
    /// What gives the column.
    input: Arc<dyn PhysicalExpr>,
    /// The dictionary that was judged last, with its answers: a file's batches share one for many rows.
    judged: Mutex<Option<(ArrayRef, ArrayRef)>>,
}

impl PerText {
    /// Of an expression whose only column is `column`, of the given field.
    pub(super) fn of(expr: Arc<dyn PhysicalExpr>, column: &Column, field: &Field) -> Result<Self> {
        let schema = Arc::new(Schema::new(vec![field.clone()]));
        let own: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), 0));
        let expr = expr.transform(|part| match part.is::<Column>() {
            true => Ok(Transformed::yes(Arc::clone(&own))),
            false => Ok(Transformed::no(part)),
        });
        Ok(Self::over(expr.data()?, schema, Arc::new(column.clone())))
    }

    fn over(expr: Arc<dyn PhysicalExpr>, schema: SchemaRef, input: Arc<dyn PhysicalExpr>) -> Self {
        Self { expr, schema, input, judged: Mutex::new(None) }
    }

    /// What gives the column.
    pub(super) fn input(&self) -> &Arc<dyn PhysicalExpr> {
        &self.input
    }

    fn answers(&self, column: ArrayRef) -> Result<ArrayRef> {
        let rows = column.len();
        let field = self.schema.field(0).clone().with_data_type(column.data_type().clone());
        let schema = Arc::new(Schema::new(vec![field.with_nullable(true)]));
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(schema, vec![column], &options)?;
        self.expr.evaluate(&batch)?.into_array(rows)
    }

    /// One answer for each text of a dictionary, and the last for NULL.
    fn answers_of_texts(&self, texts: &ArrayRef) -> Result<ArrayRef> {
        let mut judged = self.judged.lock().map_err(|_| internal_datafusion_err!("a judge of texts panicked"))?;
        if let Some((known, answers)) = judged.as_ref().filter(|(known, _)| is_same(known, texts)) {
            debug_assert_eq!(known.len() + 1, answers.len());
            return Ok(Arc::clone(answers));
        }
        let text_and_null = concat(&[texts.as_ref(), new_null_array(texts.data_type(), 1).as_ref()])?;
        let answers = self.answers(cast(&text_and_null, self.schema.field(0).data_type())?)?;
        *judged = Some((Arc::clone(texts), Arc::clone(&answers)));
        Ok(answers)
    }

    fn by_code(&self, column: &DictionaryArray<Int32Type>) -> Result<ArrayRef> {
        let answers = self.answers_of_texts(column.values())?;
        let null_code = u32::try_from(column.values().len())
            .map_err(|_| internal_datafusion_err!("a dictionary of more texts than codes"))?;
        let codes = match column.nulls().filter(|nulls| nulls.null_count() > 0) {
            // A code is not negative where it is valid.
            None => UInt32Array::from_iter_values(column.keys().values().iter().map(|code| *code as u32)),
            Some(nulls) => UInt32Array::from_iter_values(
                column
                    .keys()
                    .values()
                    .iter()
                    .zip(nulls)
                    .map(|(code, is_valid)| if is_valid { *code as u32 } else { null_code }),
            ),
        };
        match answers.as_boolean_opt().filter(|answers| answers.null_count() == 0) {
            Some(answers) => Ok(Arc::new(truths(answers, codes.values()))),
            None => Ok(take(&answers, &codes, None)?),
        }
    }
}

/// Whether two arrays are one piece of memory; a reader makes an array of its dictionary for every batch.
fn is_same(one: &ArrayRef, other: &ArrayRef) -> bool {
    Arc::ptr_eq(one, other) || one.to_data().ptr_eq(&other.to_data())
}

/// Truths by code, without a look at bits of validity that nobody set.
fn truths(answers: &BooleanArray, codes: &[u32]) -> BooleanArray {
    let answers: Vec<bool> = answers.values().iter().collect();
    BooleanArray::new(BooleanBuffer::collect_bool(codes.len(), |row| answers[codes[row] as usize]), None)
}

impl PhysicalExpr for PerText {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        self.expr.data_type(&self.schema)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        self.expr.nullable(&self.schema)
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        self.expr.return_field(&self.schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let column = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        let answers = match column.data_type() {
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                let codes = column.as_dictionary::<Int32Type>();
                match codes.values().len() <= codes.len() {
                    true => self.by_code(codes)?,
                    false => self.answers(cast(&column, self.schema.field(0).data_type())?)?,
                }
            }
            DataType::Dictionary(..) => self.answers(cast(&column, self.schema.field(0).data_type())?)?,
            _ => self.answers(column)?,
        };
        Ok(ColumnarValue::Array(answers))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let [input] = <[_; 1]>::try_from(children).map_err(|_| internal_datafusion_err!("PerText has one child"))?;
        Ok(Arc::new(Self::over(Arc::clone(&self.expr), Arc::clone(&self.schema), input)))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}

impl fmt::Display for PerText {
    /// As the expression over what gives the column.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = Arc::clone(&self.expr).transform(|part| match part.is::<Column>() {
            true => Ok(Transformed::yes(Arc::clone(&self.input))),
            false => Ok(Transformed::no(part)),
        });
        match shown.data() {
            Ok(shown) => shown.fmt(f),
            Err(_) => self.expr.fmt(f),
        }
    }
}

impl fmt::Debug for PerText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerText").field("expr", &self.expr).field("input", &self.input).finish_non_exhaustive()
    }
}

impl PartialEq for PerText {
    fn eq(&self, other: &Self) -> bool {
        self.expr.eq(&other.expr) && self.schema == other.schema && self.input.eq(&other.input)
    }
}

impl Eq for PerText {}

impl Hash for PerText {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expr.hash(state);
        self.input.hash(state);
    }
}
