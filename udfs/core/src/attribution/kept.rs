//! The last touch of every channel in a range that moves forward.

/// No touch.
const NONE: u32 = u32::MAX;

/// A list of touches in time order, linked both ways so that one in the middle can leave.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    next: Vec<u32>,
    previous: Vec<u32>,
    /// The touch of the same channel before each touch.
    same_before: Vec<u32>,
    /// The last touch seen of each channel.
    last: Vec<u32>,
    head: u32,
    tail: u32,
    /// The touches seen, and the first of them that is in range.
    seen: usize,
    start: usize,
    /// The answer of [`Kept::collect`].
    pub touches: Vec<u32>,
}

impl Kept {
    /// Forgets everything; `touches` and `channels` are how many of each the user has.
    pub fn reset(&mut self, touches: usize, channels: usize) {
        for column in [&mut self.next, &mut self.previous, &mut self.same_before] {
            column.clear();
            column.resize(touches, NONE);
        }
        self.last.clear();
        self.last.resize(channels, NONE);
        (self.head, self.tail, self.seen, self.start) = (NONE, NONE, 0, 0);
    }

    /// Puts the last touch of every channel among touches `start..end` without `hole` into
    /// `touches`, in time order.
    ///
    /// Neither `start` nor `end` may be smaller than in the call before. Cost: what the range moved
    /// by, and the number of channels in it.
    pub fn collect(&mut self, channels: &[u32], start: usize, end: usize, hole: usize) {
        while self.seen < end {
            self.append(self.seen, channels[self.seen] as usize);
            self.seen += 1;
        }
        while self.head != NONE && (self.head as usize) < start {
            self.unlink(self.head);
        }
        self.start = start;
        self.touches.clear();
        let mut touch = self.head;
        while touch != NONE {
            if touch as usize != hole {
                self.touches.push(touch);
            }
            touch = self.next[touch as usize];
        }
        // Without the hole, the channel's last touch is the one before.
        if hole < end && self.last[channels[hole] as usize] as usize == hole {
            let before = self.same_before[hole];
            if before != NONE && before as usize >= start {
                let place = self.touches.partition_point(|&kept| kept < before);
                self.touches.insert(place, before);
            }
        }
    }

    fn append(&mut self, touch: usize, channel: usize) {
        let before = std::mem::replace(&mut self.last[channel], touch as u32);
        self.same_before[touch] = before;
        if before != NONE && before as usize >= self.start {
            self.unlink(before);
        }
        self.previous[touch] = self.tail;
        if self.tail == NONE {
            self.head = touch as u32
        } else {
            self.next[self.tail as usize] = touch as u32
        }
        self.tail = touch as u32;
    }

    fn unlink(&mut self, touch: u32) {
        let (previous, next) = (self.previous[touch as usize], self.next[touch as usize]);
        if previous == NONE {
            self.head = next
        } else {
            self.next[previous as usize] = next
        }
        if next == NONE { self.tail = previous } else { self.previous[next as usize] = previous }
    }
}
