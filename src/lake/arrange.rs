//! Which files of a table in ranges of users a scan reads together, and in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use datafusion::common::{ScalarValue, SplitPoint};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::FileGroup;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::{Partitioning, RangePartitioning};

use super::layout::Layout;

/// With fewer partitions DataFusion exchanges rows again for a `GROUP BY` that has more keys than the user.
const PARTITIONS: usize = 4;

/// How the files that are read become partitions.
pub(super) enum Arrangement {
    /// Each range is one file: partitions are files one after the other.
    Chained { groups: Vec<FileGroup>, partitioning: Option<Partitioning> },
    /// Some range is several files, which must be merged.
    Merged { layers: Vec<Vec<FileGroup>>, points: Vec<ScalarValue>, merging: Merging },
}

/// How layers of files become one table.
///
/// A stretch is a run of neighbouring ranges in one partition, all of one file or all of several. Each layer has a group
/// of files for each stretch: the first has the oldest file of each range, the next one the second, as far as there are.
/// So ranges of one file are read as they are, and a layer that a stretch does not need is empty there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Merging {
    /// The stretches of each partition.
    pub(super) partitions: Vec<Range<usize>>,
    /// How many layers each stretch has.
    pub(super) layer_counts: Vec<usize>,
    /// The users that cut partitions off from the ones before.
    pub(super) points: Vec<ScalarValue>,
    /// Generations whose rows meet others, and the ranges where they do.
    pub(super) generation_count: usize,
    pub(super) merged_range_count: usize,
}

/// The files of one range, from the oldest to the newest.
type RangeFiles = Vec<(u64, PartitionedFile)>;

/// A stretch, while its ranges are gathered.
struct Stretch {
    first_range: usize,
    /// The oldest file of each range, the second one of each that has it, and so on.
    layers: Vec<Vec<PartitionedFile>>,
}

impl Stretch {
    fn new(first_range: usize, files: RangeFiles) -> Self {
        let mut stretch = Self { first_range, layers: Vec::new() };
        stretch.add(files);
        stretch
    }

    fn add(&mut self, files: RangeFiles) {
        for (layer, (_, file)) in files.into_iter().enumerate() {
            if layer == self.layers.len() {
                self.layers.push(Vec::new());
            }
            self.layers[layer].push(file);
        }
    }

    fn is_merged(&self) -> bool {
        self.layers.len() > 1
    }
}

impl Layout {
    /// Brings the files that are read to partitions of neighbouring ranges, each of about as many rows.
    ///
    /// A range stays in its partition, whichever files a filter leaves: a partition without a file is empty and there,
    /// since their number is part of the promise. Where all files are of one partition there is only that.
    pub(super) fn arrange(&self, files: Vec<PartitionedFile>, target: usize) -> Arrangement {
        let mut ranges: BTreeMap<usize, RangeFiles> = BTreeMap::new();
        for file in files {
            // A file without rows may be of no range, and needs not be read.
            if let Some(place) = self.places.get(&file.object_meta.location) {
                ranges.entry(place.range).or_default().push((place.generation, file));
            }
        }
        for files in ranges.values_mut() {
            files.sort_by_key(|(generation, _)| *generation);
        }
        let count = if target == 1 { 1 } else { target.max(PARTITIONS).min(self.row_counts.len()) };
        let (group_of_range, points) = self.cut(count);
        let mut groups: Vec<BTreeMap<usize, RangeFiles>> = vec![BTreeMap::new(); points.len() + 1];
        let is_chained = ranges.values().all(|files| files.len() <= 1);
        for (range, files) in ranges {
            groups[group_of_range[range]].insert(range, files);
        }
        let is_one = groups.iter().filter(|group| !group.is_empty()).count() <= 1;
        // A table of one range is cut: other questions gain more than those about users lose.
        let may_be_cut = is_one && groups.len() == 1;
        let (groups, points) = match is_one {
            true => (vec![groups.into_iter().find(|group| !group.is_empty()).unwrap_or_default()], Vec::new()),
            false => (groups, points),
        };
        if !is_chained {
            return self.merged(groups, points);
        }
        let files = |group: BTreeMap<usize, RangeFiles>| group.into_values().flatten().map(|(_, file)| file).collect();
        let groups = groups.into_iter().map(|group| FileGroup::new(files(group))).collect();
        // Without a promise DataFusion cuts files, and one user's rows with them.
        let partitioning = if may_be_cut { None } else { self.partitioning(points) };
        Arrangement::Chained { groups, partitioning }
    }

    /// Ranges of users, as many as there are points and one.
    pub(super) fn partitioning(&self, points: Vec<ScalarValue>) -> Option<Partitioning> {
        let by = self.ordering()?.first().clone();
        range_partitioning(by, &points)
    }

    fn merged(&self, groups: Vec<BTreeMap<usize, RangeFiles>>, points: Vec<ScalarValue>) -> Arrangement {
        let (mut stretches, mut partitions): (Vec<Stretch>, _) = (Vec::new(), Vec::new());
        let (mut generations, mut merged_range_count) = (BTreeSet::new(), 0);
        for group in groups {
            let start = stretches.len();
            let mut may_go_on = false;
            for (range, files) in group {
                let (is_merged, is_bounded) = (files.len() > 1, files.iter().all(|(_, file)| self.is_bounded(file)));
                if is_merged {
                    merged_range_count += 1;
                    generations.extend(files.iter().map(|(generation, _)| *generation));
                }
                match stretches.last_mut() {
                    Some(last) if may_go_on && is_bounded && last.is_merged() == is_merged => last.add(files),
                    _ => stretches.push(Stretch::new(range, files)),
                }
                may_go_on = is_bounded;
            }
            partitions.push(start..stretches.len());
        }
        let layer_counts: Vec<usize> = stretches.iter().map(|stretch| stretch.layers.len()).collect();
        let first_ranges = stretches.iter().skip(1).map(|stretch| stretch.first_range);
        let stretch_points = first_ranges.map(|range| self.points[range - 1].clone()).collect();
        let mut layers = vec![Vec::new(); layer_counts.iter().copied().max().unwrap_or(0)];
        for stretch in stretches {
            let mut files = stretch.layers.into_iter();
            for layer in &mut layers {
                layer.push(FileGroup::new(files.next().unwrap_or_default()));
            }
        }
        let generation_count = generations.len();
        let merging = Merging { partitions, layer_counts, points, generation_count, merged_range_count };
        Arrangement::Merged { layers, points: stretch_points, merging }
    }

    /// Whether DataFusion can tell from its statistics that a file comes after others in one group.
    ///
    /// It cannot where all users or all times are NULL: such a range is a stretch of its own.
    fn is_bounded(&self, file: &PartitionedFile) -> bool {
        let Some(statistics) = &file.statistics else { return false };
        self.key_places().into_iter().all(|key| {
            let column = statistics.column_statistics.get(key);
            column.is_some_and(|it| it.min_value.get_value().is_some() && it.max_value.get_value().is_some())
        })
    }

    /// The partition of each range, and the points between partitions. There are `count` partitions, at most as many as
    /// ranges: with fewer than the session wants, DataFusion exchanges all rows to have more.
    fn cut(&self, count: usize) -> (Vec<usize>, Vec<ScalarValue>) {
        let total = u128::from(self.row_counts.iter().sum::<u64>()).max(1);
        let (mut before, mut points) = (0_u128, Vec::new());
        let mut group_of_range = Vec::with_capacity(self.row_counts.len());
        for (range, rows) in self.row_counts.iter().enumerate() {
            // Where the middle of a range lies decides, as long as enough ranges are left for the other partitions.
            let share = (before * 2 + u128::from(*rows)) * count as u128 / (total * 2);
            before += u128::from(*rows);
            let left = self.row_counts.len() - range;
            let is_last_chance = points.len() + left < count;
            let may_begin = range > 0 && points.len() + 1 < count;
            if may_begin && (is_last_chance || share > points.len() as u128) {
                points.push(self.points[range - 1].clone());
            }
            group_of_range.push(points.len());
        }
        (group_of_range, points)
    }
}

/// Ranges that begin with the points, of rows in the order `by`.
pub(super) fn range_partitioning(by: PhysicalSortExpr, points: &[ScalarValue]) -> Option<Partitioning> {
    let points = points.iter().map(|point| SplitPoint::new(vec![point.clone()])).collect();
    Some(Partitioning::Range(RangePartitioning::try_new(LexOrdering::new([by])?, points).ok()?))
}
