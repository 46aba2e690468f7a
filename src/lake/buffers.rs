//! Memory that the pieces of local files are read into, used again within one scan.
//!
//! A column of a row group is megabytes, is read by one thread and let go by another, and is a little larger or
//! smaller than the last. An allocator answers that with new pages each time and keeps the old for a second: a scan of
//! tags over 20 million events held 28 MB where 10 were in use. These buffers are mappings of their own, which are gone
//! when they are let go. Each new page costs microseconds, so that they are used again as long as they are large enough.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapMut, MmapOptions};
use parking_lot::Mutex;

/// Smaller pieces are left to the allocator.
const SMALLEST_BUFFER_BYTES: usize = 64 * 1024;

/// New buffers are a multiple of this, so that a piece that is a little larger than the last finds room in its buffer.
const STEP_BYTES: usize = 256 * 1024;

/// The buffers of one scan that no piece is in.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    spare: Mutex<Vec<MmapMut>>,
}

/// Memory for a piece.
enum Buffer {
    Small(Vec<u8>),
    Large(MmapMut),
}

/// A piece of a file, whose buffer goes back when nothing refers to it any more.
struct Piece {
    /// There until it goes home.
    buffer: Option<Buffer>,
    byte_count: usize,
    home: Arc<Buffers>,
}

impl Buffers {
    /// Reads ranges of a local file, on a thread that may wait. A file that ends before a range does is an error.
    pub(super) async fn read(self: &Arc<Self>, path: PathBuf, ranges: Vec<Range<u64>>) -> io::Result<Vec<Bytes>> {
        let home = Arc::clone(self);
        let read = move || {
            let file = File::open(path)?;
            ranges.into_iter().map(|range| home.read_piece(&file, range)).collect()
        };
        tokio::task::spawn_blocking(read).await.map_err(io::Error::other)?
    }

    fn read_piece(self: &Arc<Self>, file: &File, range: Range<u64>) -> io::Result<Bytes> {
        let byte_count = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut buffer = self.take(byte_count)?;
        let bytes = match &mut buffer {
            Buffer::Small(bytes) => &mut bytes[..],
            Buffer::Large(bytes) => &mut bytes[..byte_count],
        };
        let read = file.read_exact_at(bytes, range.start);
        let piece = Piece { buffer: Some(buffer), byte_count, home: Arc::clone(self) };
        read.map(|()| Bytes::from_owner(piece))
    }

    /// A buffer of at least `byte_count` bytes: the used one that fits best, or a new one.
    ///
    /// Where none fits, the largest makes room: no more are kept than were needed at a time.
    fn take(&self, byte_count: usize) -> io::Result<Buffer> {
        if byte_count < SMALLEST_BUFFER_BYTES {
            return Ok(Buffer::Small(vec![0; byte_count]));
        }
        let mut spare = self.spare.lock();
        let fits = |place: &usize| spare[*place].len() >= byte_count;
        if let Some(best) = (0..spare.len()).filter(fits).min_by_key(|place| spare[*place].len()) {
            return Ok(Buffer::Large(spare.swap_remove(best)));
        }
        let largest = (0..spare.len()).max_by_key(|place| spare[*place].len());
        let let_go = largest.map(|largest| spare.swap_remove(largest));
        drop(spare);
        drop(let_go);
        let new_size = byte_count.checked_next_multiple_of(STEP_BYTES).unwrap_or(byte_count);
        // All pages at once: most are written right away.
        MmapOptions::new().len(new_size).populate().map_anon().map(Buffer::Large)
    }
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        match &self.buffer {
            Some(Buffer::Small(bytes)) => bytes,
            Some(Buffer::Large(bytes)) => &bytes[..self.byte_count],
            None => &[],
        }
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(Buffer::Large(buffer)) = self.buffer.take() {
            self.home.spare.lock().push(buffer);
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range of bytes is read")]
mod tests {
    use super::*;

    fn file(byte_count: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let bytes: Vec<u8> = (0..byte_count).map(|place| (place % 251) as u8).collect();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[tokio::test]
    async fn pieces_are_what_the_file_has_there_also_in_used_buffers() {
        let (file, buffers) = (file(1_000_000), Arc::new(Buffers::default()));
        for start in [0_usize, 7, 100_000, 899_999] {
            for byte_count in [0_usize, 1, 65_535, 65_536, 70_000, 100_001] {
                let range = start as u64..(start + byte_count) as u64;
                let pieces = buffers.read(file.path().to_owned(), vec![range, 0..3]).await.unwrap();
                let expected: Vec<u8> = (start..start + byte_count).map(|place| (place % 251) as u8).collect();
                assert_eq!(pieces[0], expected);
                assert_eq!(pieces[1][..], [0, 1, 2]);
            }
        }
    }

    #[tokio::test]
    async fn a_buffer_is_used_again_when_nothing_refers_to_its_piece() {
        let (file, buffers) = (file(1_000_000), Arc::new(Buffers::default()));
        let read = async || buffers.read(file.path().to_owned(), vec![5..500_005]).await.unwrap().pop().unwrap();
        let first = read().await;
        let (place, part) = (first.as_ptr(), first.slice(10..20));
        drop(first);
        let second = read().await;
        assert_ne!(second.as_ptr(), place, "a part of the first is still used");
        drop(part);
        assert_eq!(read().await.as_ptr(), place);
        drop(second);
        assert_eq!(buffers.spare.lock().len(), 2);
    }

    #[tokio::test]
    async fn a_larger_piece_takes_the_place_of_a_buffer_and_a_smaller_one_uses_it() {
        let (file, buffers) = (file(1_000_000), Arc::new(Buffers::default()));
        let read = async |end: u64| buffers.read(file.path().to_owned(), vec![0..end]).await.unwrap().pop().unwrap();
        let sizes = || buffers.spare.lock().iter().map(|buffer| buffer.len()).collect::<Vec<_>>();
        drop(read(100_000).await);
        assert_eq!(sizes(), [STEP_BYTES]);
        drop(read(900_000).await);
        assert_eq!(sizes(), [4 * STEP_BYTES], "the small one is gone");
        let small = read(70_000).await;
        assert!(small.len() == 70_000 && sizes().is_empty(), "it is in the large one");
        drop(small);
        assert_eq!(sizes(), [4 * STEP_BYTES]);
    }

    #[tokio::test]
    async fn a_file_that_ends_too_early_or_is_gone_is_an_error() {
        let (file, buffers) = (file(1_000), Arc::new(Buffers::default()));
        let path = file.path().to_owned();
        let short = buffers.read(path.clone(), vec![0..100, 900..1_001]).await.unwrap_err();
        assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
        drop(file);
        assert_eq!(buffers.read(path, vec![0..1]).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
