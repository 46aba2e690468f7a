//! The memory of one run: one consumer of the pool, however many tasks share it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};

/// What the pool grants the operator. A pool that deals fairly counts it as one.
#[derive(Clone)]
pub(super) struct Memory {
    reservation: Arc<MemoryReservation>,
}

/// A part of it that grows and shrinks with what it is for, and is given back when that goes.
pub(super) struct Part {
    memory: Memory,
    bytes: usize,
}

impl Memory {
    pub fn new(context: &TaskContext, can_spill: bool) -> Self {
        let consumer = MemoryConsumer::new("JourneyExec").with_can_spill(can_spill);
        Self { reservation: Arc::new(consumer.register(context.memory_pool())) }
    }

    pub fn part(&self) -> Part {
        Part { memory: self.clone(), bytes: 0 }
    }
}

impl Part {
    /// Makes the part as large as what it is for; if that is refused, it stays as it is.
    pub fn try_resize(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            self.memory.reservation.try_grow(bytes - self.bytes)?;
            self.bytes = bytes;
        } else {
            self.shrink(bytes);
        }
        Ok(())
    }

    /// Makes the part smaller.
    pub fn shrink(&mut self, bytes: usize) {
        if bytes < self.bytes {
            self.memory.reservation.shrink(self.bytes - bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.shrink(0);
    }
}
