//! Standard input line by line, in blocks, without waiting for a block to fill.
//!
//! ```text
//! a thread:  read ──► whole lines ──► a queue of a few reads, which holds the reader back when it is full
//! here:      all that is waiting, up to a block ──► pieces, side by side ──► written in order
//!            nothing waiting: flush, and wait
//! ```
//!
//! So memory does not depend on the length of the input, and a line that comes alone goes out alone.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use data::{Error, Result};
use rayon::prelude::*;

use super::job::Job;
use crate::args::InputKind;
use crate::{Stop, input};

/// Bytes that are asked of the system at once: what a pipe holds.
const READ: usize = 64 << 10;
/// Reads that may wait.
const WAITING: usize = 16;
/// Bytes that are tagged side by side before anything is written.
const BLOCK: usize = 1 << 20;
/// Bytes of a piece: some dozens of sentences.
const PIECE: usize = 16 << 10;
/// The same for a device: two batches or so, so that while it has one this processor reads others.
const DEVICE_PIECE: usize = 128 << 10;

/// Tags standard input to `out`.
pub fn run(job: &Job, kind: InputKind, out: &mut dyn Write) -> std::result::Result<(), Stop> {
    let (to, from) = sync_channel(WAITING);
    // The thread ends with the input, or with its next line once nobody listens any more.
    std::thread::spawn(move || read(&mut io::stdin().lock(), &to));
    let mut line = 1;
    while let Some(block) = next_block(&from, out)? {
        let block = text(block, line)?;
        lines(job, kind, &block, "<stdin>", line, out)?;
        line += count_lines(&block);
    }
    Ok(())
}

/// Tags the lines of `block`, which begins with line `line`, to `out`.
pub fn lines(
    job: &Job,
    kind: InputKind,
    block: &str,
    name: &str,
    line: u64,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let piece = if job.ready.is_on_device() { DEVICE_PIECE } else { PIECE };
    for some in chunks(block, line, BLOCK) {
        let pieces: Vec<(u64, &str)> = chunks(some.1, some.0, piece).collect();
        let tagged: Vec<Result<Vec<u8>>> = pieces
            .into_par_iter()
            .map(|(line, piece)| {
                let mut bytes = Vec::with_capacity(2 * piece.len());
                for done in &job.tag(Job::documents(kind, piece, name, line)?) {
                    job.write(done, &mut bytes);
                }
                Ok(bytes)
            })
            .collect();
        for bytes in tagged {
            out.write_all(&bytes?)?;
        }
    }
    Ok(())
}

/// `text` in pieces of about `size` bytes, cut after line ends, each with the number of its first line.
fn chunks(text: &str, first: u64, size: usize) -> impl Iterator<Item = (u64, &str)> {
    let (mut rest, mut line) = (text, first);
    std::iter::from_fn(move || {
        let end = rest.len().min(size);
        let cut = rest.as_bytes()[end..].iter().position(|&b| b == b'\n');
        let (piece, after) = rest.split_at(cut.map_or(rest.len(), |n| end + n + 1));
        let here = line;
        (rest, line) = (after, line + count_lines(piece));
        (!piece.is_empty()).then_some((here, piece))
    })
}

fn count_lines(text: &str) -> u64 {
    text.bytes().filter(|&b| b == b'\n').count() as u64
}

/// Whole lines as they come; at the end, what is left.
fn read(from: &mut impl Read, to: &SyncSender<io::Result<Vec<u8>>>) {
    let mut rest = Vec::new();
    loop {
        let start = rest.len();
        rest.resize(start + READ, 0);
        let n = match from.read(&mut rest[start..]) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            Err(e) => return drop(to.send(Err(e))),
            Ok(0) => {
                rest.truncate(start);
                return drop((!rest.is_empty()).then(|| to.send(Ok(rest))));
            }
            Ok(n) => n,
        };
        rest.truncate(start + n);
        if let Some(end) = rest[start..].iter().rposition(|&b| b == b'\n') {
            let after = rest.split_off(start + end + 1);
            if to.send(Ok(std::mem::replace(&mut rest, after))).is_err() {
                return; // nobody listens
            }
        }
    }
}

/// All lines that wait, up to a block. Where none do, `out` is flushed before the next are waited for.
fn next_block(
    from: &Receiver<io::Result<Vec<u8>>>,
    out: &mut dyn Write,
) -> std::result::Result<Option<Vec<u8>>, Stop> {
    let first = match from.try_recv() {
        Ok(lines) => Ok(lines),
        Err(_) => {
            out.flush()?;
            from.recv()
        }
    };
    let fail = |e| Error::new("E021", format!("cannot read standard input: {e}"));
    let Ok(first) = first else { return Ok(None) };
    let mut block = first.map_err(fail)?;
    while block.len() < BLOCK
        && let Ok(more) = from.try_recv()
    {
        block.extend(more.map_err(fail)?);
    }
    Ok(Some(block))
}

/// The block as text; a byte order mark before the first line goes.
fn text(block: Vec<u8>, line: u64) -> Result<String> {
    let mut text = input::utf8_from(block, "<stdin>".as_ref(), line)?;
    if line == 1 && text.starts_with('\u{feff}') {
        text.drain(..3);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_the_text_cut_after_line_ends_and_know_their_lines() {
        let text = "a\nbcd\n\nefghij\nk";
        for size in 0..20 {
            let all: Vec<(u64, &str)> = chunks(text, 7, size).collect();
            assert_eq!(all.iter().map(|c| c.1).collect::<String>(), text);
            for (line, piece) in &all {
                let before = piece.as_ptr() as usize - text.as_ptr() as usize;
                assert_eq!(*line, 7 + count_lines(&text[..before]));
                assert!(piece.ends_with('\n') || text.ends_with(piece));
            }
        }
        assert_eq!(chunks("", 1, 5).count(), 0);
    }

    #[test]
    fn reads_that_cut_lines_and_characters_come_out_as_whole_lines() {
        struct Slow(&'static [u8]);
        impl Read for Slow {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(3).min(to.len());
                to[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let text = "Łódź 東京\n\nx\nno end";
        let (to, from) = sync_channel(100);
        read(&mut Slow(text.as_bytes()), &to);
        drop(to);
        let all: Vec<Vec<u8>> = from.iter().map(|lines| lines.unwrap()).collect();
        assert_eq!(all.concat(), text.as_bytes());
        assert!(all[..all.len() - 1].iter().all(|lines| lines.ends_with(b"\n")));
    }
}
