//! Steps matched to distinct rows of one time group, for `strict_once` (FUNNEL-5).

use super::rows::{Mask, Rows, ascending};
use super::spec::MAX_STEPS;

const FREE: u8 = u8::MAX;

/// Which row of the group serves which step, grown by augmenting paths.
///
/// Of every step at most as many rows are kept as the funnel has steps: a step with that many rows
/// finds a free one whatever the other steps took. So a group of any size costs one pass over its
/// rows and `O(steps^3)`.
#[derive(Clone, Debug)]
pub(super) struct Matching {
    steps: usize,
    /// `steps` places for each step; the first `row_count[step]` hold rows.
    rows_of_step: Vec<u32>,
    row_count: [u8; MAX_STEPS],
    /// The row that serves a matched step.
    row_of_step: [u32; MAX_STEPS],
    /// The step that a row serves, or `FREE`.
    step_of_row: Vec<u8>,
}

impl Default for Matching {
    fn default() -> Self {
        Self {
            steps: 0,
            rows_of_step: Vec::new(),
            row_count: [0; MAX_STEPS],
            row_of_step: [0; MAX_STEPS],
            step_of_row: Vec::new(),
        }
    }
}

impl Matching {
    /// Starts over with the rows `start..end`, none of them serving a step.
    pub fn load<M: Mask>(&mut self, rows: &Rows<'_, M>, start: usize, end: usize, steps: usize, step_bits: u64) {
        self.steps = steps;
        self.rows_of_step.resize(steps * steps, 0);
        self.row_count[..steps].fill(0);
        self.step_of_row.clear();
        let mut open_steps = step_bits;
        for row in start..end {
            let wanted = rows.steps(row, step_bits) & open_steps;
            if wanted == 0 {
                continue;
            }
            // At most steps^2 = 4,096 rows are kept.
            let kept_row = self.step_of_row.len() as u32;
            self.step_of_row.push(FREE);
            for step in ascending(wanted) {
                let count = usize::from(self.row_count[step]);
                self.rows_of_step[step * steps + count] = kept_row;
                self.row_count[step] += 1;
                if count + 1 == steps {
                    open_steps &= !(1 << step);
                }
            }
            if open_steps == 0 {
                break;
            }
        }
    }

    /// Finds a row for one more step, moving other matched steps to other rows where that helps.
    ///
    /// False, and nothing changed, when no choice of rows serves this step and all matched ones.
    pub fn add(&mut self, step: usize) -> bool {
        let mut visited_steps = 1 << step;
        self.find_row(step, &mut visited_steps)
    }

    /// Frees the row of a matched step.
    pub fn remove(&mut self, step: usize) {
        self.step_of_row[self.row_of_step[step] as usize] = FREE;
    }

    /// Frees all rows.
    pub fn clear(&mut self) {
        self.step_of_row.fill(FREE);
    }

    fn find_row(&mut self, step: usize, visited_steps: &mut u64) -> bool {
        for place in 0..usize::from(self.row_count[step]) {
            let row = self.rows_of_step[step * self.steps + place];
            let holder = self.step_of_row[row as usize];
            if holder != FREE {
                if *visited_steps >> holder & 1 == 1 {
                    continue;
                }
                *visited_steps |= 1 << holder;
                if !self.find_row(usize::from(holder), visited_steps) {
                    continue;
                }
            }
            self.step_of_row[row as usize] = step as u8;
            self.row_of_step[step] = row;
            return true;
        }
        false
    }
}
