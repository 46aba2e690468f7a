//! Entries that come one group after the other, kept as they came.

use super::entries::Payload;

/// Beyond this the entries are no longer in a core's cache, and blocks of them are cheaper than to move them all.
const MAX_ENTRIES: usize = 1 << 16;

/// Groups without an entry take room here and none in blocks.
const MAX_GROUPS: usize = 1 << 17;

/// Entries of which none is of a group before that of the entry before it: there is nothing to sort by group.
pub(super) struct Line<P> {
    /// Where each group ends but the last that has an entry: that one is open.
    ends: Vec<usize>,
    at_us: Vec<i64>,
    payloads: Vec<P>,
}

impl<P> Default for Line<P> {
    fn default() -> Self {
        Self { ends: vec![], at_us: vec![], payloads: vec![] }
    }
}

/// Groups of a line as they came; `ends` is where each ends among the entries.
pub(super) struct Columns<P> {
    pub at_us: Vec<i64>,
    pub payloads: Vec<P>,
}

impl<P: Payload> Line<P> {
    /// False, and nothing is done, where the group is before the last one, or the line is full or would be long.
    #[inline(always)]
    pub fn push(&mut self, group: usize, at_us: i64, payload: P) -> bool {
        let len = self.at_us.len();
        if group < self.ends.len() || group >= MAX_GROUPS || len >= MAX_ENTRIES {
            return false;
        }
        if group > self.ends.len() {
            self.ends.resize(group, len);
        }
        self.at_us.push(at_us);
        self.payloads.push(payload);
        true
    }

    /// Takes the first groups out: where each ends, and the entries, with those that stay behind them.
    pub fn take(&mut self, group_count: usize) -> (Vec<usize>, Columns<P>) {
        let len = self.at_us.len();
        let mut ends = std::mem::take(&mut self.ends);
        if ends.len() >= group_count {
            self.ends = ends.split_off(group_count);
            let taken = ends.last().copied().unwrap_or(0);
            self.ends.iter_mut().for_each(|end| *end -= taken);
        } else {
            ends.resize(group_count, len);
        }
        let columns = Columns { at_us: std::mem::take(&mut self.at_us), payloads: std::mem::take(&mut self.payloads) };
        (ends, columns)
    }

    /// Takes the memory of what was taken back, and the entries that stay.
    pub fn give_back(&mut self, taken: usize, mut columns: Columns<P>) {
        columns.at_us.drain(..taken);
        columns.payloads.drain(..taken);
        (self.at_us, self.payloads) = (columns.at_us, columns.payloads);
    }

    /// Hands every entry over, in the order in which they came, and forgets them.
    pub fn drain(&mut self, mut each: impl FnMut(usize, i64, P)) {
        self.ends.push(self.at_us.len());
        let mut start = 0;
        for (group, &end) in self.ends.iter().enumerate() {
            for entry in start..end {
                each(group, self.at_us[entry], self.payloads[entry]);
            }
            start = end;
        }
        self.clear();
    }

    /// Forgets all entries; the memory stays for the next.
    pub fn clear(&mut self) {
        self.ends.clear();
        self.at_us.clear();
        self.payloads.clear();
    }

    pub fn bytes(&self) -> usize {
        self.ends.capacity() * size_of::<usize>()
            + self.at_us.capacity() * size_of::<i64>()
            + self.payloads.capacity() * size_of::<P>()
    }

    /// The same without what waits to be used again.
    pub fn used_bytes(&self) -> usize {
        self.ends.len() * size_of::<usize>() + self.at_us.len() * (size_of::<i64>() + size_of::<P>())
    }
}
