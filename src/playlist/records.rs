//! What differs from segment to segment, in few bytes each.

use std::ops::Range;

/// Records that share a head: the first one, which is written out. More of them take less memory, and longer to read.
const BLOCK: usize = 32;

/// It is to be left out.
const GAP: u8 = 1;
/// It is a part of a file.
const RANGE: u8 = 2;
/// Its part begins where that of the record before ends.
const CONTINUES: u8 = 4;

/// A segment as it is written in the playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) address: String,
    pub(super) range: Option<Range<u64>>,
    pub(super) gap: bool,
}

/// Records in order. Of each is kept, as integers in LEB128: how many bytes of its address are those at the beginning of
/// the head's, how many those at its end, how many are between, these, and the length and maybe the start of its range.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    /// Where the blocks begin in `bytes`.
    blocks: Vec<usize>,
    len: usize,
}

impl Records {
    /// Bytes of memory beside those of the value itself.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.capacity() + self.blocks.capacity() * size_of::<usize>()
    }

    pub(super) fn get(&self, index: usize) -> Option<Record> {
        if index >= self.len {
            return None;
        }
        let mut left = self.bytes.get(*self.blocks.get(index / BLOCK)?..)?;
        let head = Packed::read(&mut left, 0)?;
        let mut packed = head.clone();
        for _ in 0..index % BLOCK {
            packed = Packed::read(&mut left, packed.range.map_or(0, |range| range.end))?;
        }
        let suffix = head.middle.len().checked_sub(packed.suffix)?;
        let address = [head.middle.get(..packed.prefix)?, packed.middle, head.middle.get(suffix..)?].concat();
        Some(Record { address: String::from_utf8(address).ok()?, range: packed.range, gap: packed.gap })
    }
}

/// A record whose address is not put together yet.
#[derive(Clone)]
struct Packed<'a> {
    prefix: usize,
    suffix: usize,
    middle: &'a [u8],
    range: Option<Range<u64>>,
    gap: bool,
}

impl<'a> Packed<'a> {
    /// Takes the next one from the front, where the range before ended at `end`.
    fn read(left: &mut &'a [u8], end: u64) -> Option<Self> {
        let flags = *left.split_off_first()?;
        let prefix = usize::try_from(integer(left)?).ok()?;
        let suffix = usize::try_from(integer(left)?).ok()?;
        let between = usize::try_from(integer(left)?).ok()?;
        let middle = left.split_off(..between)?;
        let mut range = None;
        if flags & RANGE != 0 {
            let length = integer(left)?;
            let start = if flags & CONTINUES != 0 { end } else { integer(left)? };
            range = Some(start..start.checked_add(length)?);
        }
        Some(Self { prefix, suffix, middle, range, gap: flags & GAP != 0 })
    }
}

/// Takes records.
#[derive(Debug, Default)]
pub(super) struct Writer {
    records: Records,
    head: String,
    /// Where the range before ended, 0 without one.
    end: u64,
}

impl Writer {
    pub(super) fn len(&self) -> usize {
        self.records.len
    }

    /// Adds one whose range does not end before it begins.
    pub(super) fn push(&mut self, address: &str, range: Option<Range<u64>>, gap: bool) {
        if self.records.len.is_multiple_of(BLOCK) {
            self.records.blocks.push(self.records.bytes.len());
            self.head.clear();
            self.end = 0;
        }
        let (head, whole) = (self.head.as_bytes(), address.as_bytes());
        let prefix = same(head.iter(), whole.iter());
        let suffix = same(head[prefix..].iter().rev(), whole[prefix..].iter().rev());
        let middle = &whole[prefix..whole.len() - suffix];
        let continues = range.as_ref().is_some_and(|range| range.start == self.end);
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let bytes = &mut self.records.bytes;
        bytes.push(flag(gap, GAP) | flag(range.is_some(), RANGE) | flag(continues, CONTINUES));
        for length in [prefix, suffix, middle.len()] {
            write(bytes, length as u64);
        }
        bytes.extend_from_slice(middle);
        self.end = 0;
        if let Some(range) = range {
            write(bytes, range.end - range.start);
            if !continues {
                write(bytes, range.start);
            }
            self.end = range.end;
        }
        if self.records.len.is_multiple_of(BLOCK) {
            address.clone_into(&mut self.head);
        }
        self.records.len += 1;
    }

    pub(super) fn finish(self) -> Records {
        let mut records = self.records;
        records.bytes.shrink_to_fit();
        records.blocks.shrink_to_fit();
        records
    }
}

fn same<'a>(left: impl Iterator<Item = &'a u8>, right: impl Iterator<Item = &'a u8>) -> usize {
    left.zip(right).take_while(|(left, right)| left == right).count()
}

/// LEB128: seven bits a byte, the lowest first; the highest bit says that more come.
fn write(bytes: &mut Vec<u8>, mut integer: u64) {
    while integer > 0x7F {
        bytes.push(integer.to_le_bytes()[0] | 0x80);
        integer >>= 7;
    }
    bytes.push(integer.to_le_bytes()[0]);
}

fn integer(left: &mut &[u8]) -> Option<u64> {
    let mut integer = 0;
    for shift in (0..64).step_by(7) {
        let byte = *left.split_off_first()?;
        integer |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(integer);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(address: String, range: Option<Range<u64>>, gap: bool) -> Record {
        Record { address, range, gap }
    }

    fn written(records: &[Record]) -> Records {
        let mut writer = Writer::default();
        for record in records {
            writer.push(&record.address, record.range.clone(), record.gap);
        }
        writer.finish()
    }

    #[test]
    fn what_is_written_is_read() {
        let several = [
            record("a".repeat(300), None, false),
            record("a".repeat(299), Some(0..1), true),
            record("a".repeat(301), Some(1..u64::MAX), false),
            record(String::new(), Some(u64::MAX - 1..u64::MAX), false),
            record("é".to_owned(), None, false),
            record("è".to_owned(), Some(5..9), true),
        ];
        let all: Vec<_> = several.iter().cloned().cycle().take(BLOCK * 3 + 1).collect();
        let records = written(&all);
        for (index, record) in all.iter().enumerate() {
            assert_eq!(records.get(index).as_ref(), Some(record), "{index}");
        }
        assert_eq!(records.get(all.len()), None);
        assert_eq!(written(&[]).get(0), None);
    }

    #[test]
    fn few_bytes_are_kept_of_each() {
        let numbered = |index: u64| {
            let address = format!(
                "https://cdn.example/vod/1234/video_{index:05}.ts?token=0123456789abcdef&expires=1700000000"
            );
            record(address, None, false)
        };
        let parts = |index: u64| {
            let range = index * 1_000_000..(index + 1) * 1_000_000;
            record(
                "https://cdn.example/vod/1234/video.mp4?token=0123456789abcdef".to_owned(),
                Some(range),
                false,
            )
        };
        let (numbered, parts): (Vec<_>, Vec<_>) =
            (0..10_000).map(|index| (numbered(index), parts(index))).unzip();
        let bytes = |records: &[Record]| written(records).bytes() as f64 / records.len() as f64;
        let (numbered, parts) = (bytes(&numbered), bytes(&parts));
        assert!(numbered < 10.0 && parts < 10.0, "{numbered} and {parts} bytes per segment");
    }
}
