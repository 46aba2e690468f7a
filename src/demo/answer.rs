//! An answer as a client gets it: names of columns, and rows of texts.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// The rows of one statement, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
}

impl Answer {
    /// The value of `column` in the first row in which all of `wanted` hold.
    pub fn number(&self, column: &str, wanted: &[(&str, &str)]) -> Option<f64> {
        let column = self.column(column)?;
        let row = self.rows.iter().find(|row| {
            wanted.iter().all(|(name, text)| self.column(name).is_some_and(|index| row[index].as_deref() == Some(text)))
        })?;
        row[column].as_deref()?.parse().ok()
    }

    /// The sum of `column` over the rows in which `by` satisfies `wanted`.
    ///
    /// None where a column is missing or a value is no number: then the answer is no answer.
    pub fn sum(&self, column: &str, by: &str, wanted: impl Fn(&str) -> bool) -> Option<f64> {
        let (column, by) = (self.column(column)?, self.column(by)?);
        let rows = self.rows.iter().filter(|row| row[by].as_deref().is_some_and(&wanted));
        rows.map(|row| row[column].as_deref()?.parse::<f64>().ok()).sum()
    }

    fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// A table for people: numbers to the right, missing values empty, wide characters in line.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_preset(presets::UTF8_FULL_CONDENSED)
            .set_content_arrangement(ContentArrangement::Disabled)
            .set_header(&self.columns)
            .add_rows(
                self.rows
                    .iter()
                    .map(|row| row.iter().map(|value| value.as_deref().unwrap_or_default()).collect::<Vec<_>>()),
            );
        for index in 0..self.columns.len() {
            if self.is_numeric(index)
                && let Some(column) = table.column_mut(index)
            {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.to_string()
    }

    fn is_numeric(&self, column: usize) -> bool {
        self.rows.iter().filter_map(|row| row[column].as_deref()).all(|value| value.parse::<f64>().is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let text = |text: &str| Some(text.to_owned());
        Answer {
            columns: ["step_name", "users"].map(str::to_owned).to_vec(),
            rows: vec![vec![text("浏览"), text("43300")], vec![text("看商品"), text("240")], vec![text("支付"), None]],
        }
    }

    #[test]
    fn values_are_found_by_what_stands_beside_them() {
        assert_eq!(answer().number("users", &[("step_name", "看商品")]), Some(240.0));
        assert_eq!(answer().number("users", &[("step_name", "支付")]), None);
        assert_eq!(answer().number("nothing", &[]), None);
    }

    #[test]
    fn a_sum_over_something_that_is_no_number_is_none() {
        assert_eq!(answer().sum("users", "step_name", |name| name != "支付"), Some(43_540.0));
        assert_eq!(answer().sum("users", "step_name", |_| true), None);
    }

    #[test]
    fn wide_characters_stay_in_line() {
        let table = answer().table();
        let expected = "\
┌───────────┬───────┐
│ step_name ┆ users │
╞═══════════╪═══════╡
│ 浏览      ┆ 43300 │
│ 看商品    ┆   240 │
│ 支付      ┆       │
└───────────┴───────┘";
        assert_eq!(table, expected);
    }
}
