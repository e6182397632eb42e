//! Input of any length, in blocks, without waiting for a block to fill.
//!
//! ```text
//! a thread:  read ──► whole lines ──► a queue of a few reads, which holds the reader back when it is full
//! here:      all that is waiting, up to a block ──► pieces, side by side ──► written in order
//!            nothing waiting: flush, and wait
//! ```
//!
//! So memory does not depend on the length of the input, and a line that comes alone goes out alone.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use data::{Error, Quotes, Result};
use indicatif::ProgressBar;
use longhand::Document;
use rayon::prelude::*;

use super::job::Job;
use crate::args::{InputKind, OutputKind};
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

/// Whether an input of this kind is tagged block by block. Running text is one document, which only these
/// layouts can show in parts.
pub fn suits(kind: InputKind, output: OutputKind) -> bool {
    match kind {
        InputKind::Lines | InputKind::Jsonl => true,
        InputKind::Text => matches!(output, OutputKind::Text | OutputKind::Conll),
        InputKind::Conll => false,
    }
}

/// A file that can be read block by block: a large one, plain, in UTF-8. Another has to be unpacked or
/// decoded as a whole.
pub fn plain(path: &Path) -> Option<File> {
    let mut file = File::open(path).ok()?;
    let meta = file.metadata().ok()?;
    if !meta.is_file() || meta.len() < BLOCK as u64 {
        return None;
    }
    let mut buffer = Vec::with_capacity(BLOCK);
    let mut first = true;
    loop {
        let kept = buffer.len();
        let n =
            Read::by_ref(&mut file).take((BLOCK - kept) as u64).read_to_end(&mut buffer).ok()?;
        let packed = buffer.starts_with(&[0x1f, 0x8b]) || buffer.starts_with(b"PK");
        if (first && packed) || buffer[kept..].contains(&0) {
            return None;
        }
        first = false;
        let valid = match std::str::from_utf8(&buffer) {
            Ok(_) => buffer.len(),
            // A character that the block cuts; at the end of the file, half a one.
            Err(e) if e.error_len().is_none() && n > 0 => e.valid_up_to(),
            Err(_) => return None,
        };
        if n == 0 {
            break;
        }
        buffer.drain(..valid);
    }
    file.rewind().ok()?;
    Some(file)
}

/// Something to read, what it is called in messages, and the bar that shows how far it is.
pub struct Source<R> {
    pub from: R,
    pub name: String,
    pub bar: ProgressBar,
}

/// Tags what `source` gives to `out`.
pub fn run<R: Read + Send + 'static>(
    job: &Job,
    kind: InputKind,
    mut source: Source<R>,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let (to, from) = sync_channel(WAITING);
    let running = kind == InputKind::Text;
    // The thread ends with the input, or with its next line once nobody listens any more.
    std::thread::spawn(move || read(&mut source.from, running, &to));
    let mut blocks = Blocks { from, name: source.name, line: 1, bar: source.bar };
    let done = match running {
        true => running_text(job, &mut blocks, out),
        false => many_lines(job, kind, &mut blocks, out),
    };
    blocks.bar.finish_and_clear();
    done
}

fn many_lines(
    job: &Job,
    kind: InputKind,
    blocks: &mut Blocks,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let mut line = blocks.line;
    while let Some(block) = blocks.next(out)? {
        lines(job, kind, &block, &blocks.name, line, out)?;
        line = blocks.line;
    }
    Ok(())
}

/// One text, sentence after sentence: what it gives is the same as from the whole.
fn running_text(
    job: &Job,
    blocks: &mut Blocks,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let (mut rest, mut quotes) = (String::new(), Quotes::default());
    // A text without an end of a sentence is not cut anew with each block that comes to it.
    let mut enough = 0;
    while let Some(block) = blocks.next(out)? {
        if rest.is_empty() {
            job.doubt.look_for_rows(&block, &blocks.name);
        }
        rest += &block;
        if rest.len() < enough {
            continue;
        }
        let (tokens, sentences, begins) = quotes.cut_begun(&rest);
        if begins == 0 {
            enough = 2 * rest.len();
            continue;
        }
        let text = rest[..begins].into();
        write(job, Document { text, tokens, sentences, pos: Vec::new() }, false, out)?;
        rest.drain(..begins);
        enough = 0;
    }
    let tokens = data::tokenize(&rest);
    let sentences = quotes.cut(&tokens, &rest);
    write(job, Document { text: rest.into(), tokens, sentences, pos: Vec::new() }, true, out)
}

fn write(
    job: &Job,
    document: Document<'_>,
    last: bool,
    out: &mut dyn Write,
) -> std::result::Result<(), Stop> {
    let mut bytes = Vec::new();
    let document = document.as_learned(job.ready.model());
    for done in &job.tag_on_all_cores(vec![(document, Vec::new())]) {
        if !last || !done.document.text.is_empty() {
            job.write(done, last, &mut bytes);
        }
    }
    Ok(out.write_all(&bytes)?)
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
        job.look_at_lines(kind, &pieces, name);
        let tagged: Vec<Result<Vec<u8>>> = pieces
            .into_par_iter()
            .map(|(line, piece)| {
                let mut bytes = Vec::with_capacity(2 * piece.len());
                for done in &job.tag(job.documents(kind, piece, name, line)?) {
                    job.write(done, true, &mut bytes);
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

/// Whole lines as they come; of running text whole words too, where a line is longer than a block; at the
/// end, what is left.
fn read(from: &mut impl Read, running: bool, to: &SyncSender<io::Result<Vec<u8>>>) {
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
        let is_end = |b: &u8| match running && start > BLOCK {
            true => b.is_ascii_whitespace(),
            false => *b == b'\n',
        };
        if let Some(end) = rest[start..].iter().rposition(is_end) {
            let after = rest.split_off(start + end + 1);
            if to.send(Ok(std::mem::replace(&mut rest, after))).is_err() {
                return; // nobody listens
            }
        }
    }
}

/// What a reading thread sends, as text.
struct Blocks {
    from: Receiver<io::Result<Vec<u8>>>,
    name: String,
    /// Number of the next line.
    line: u64,
    bar: ProgressBar,
}

impl Blocks {
    /// All lines that wait, up to a block. Where none do, `out` is flushed before the next are waited for.
    fn next(&mut self, out: &mut dyn Write) -> std::result::Result<Option<String>, Stop> {
        let first = match self.from.try_recv() {
            Ok(lines) => Ok(lines),
            Err(_) => {
                out.flush()?;
                self.from.recv()
            }
        };
        let fail = |e| Error::new("E021", format!("cannot read {}: {e}", self.name));
        let Ok(first) = first else { return Ok(None) };
        let mut block = first.map_err(fail)?;
        while block.len() < BLOCK
            && let Ok(more) = self.from.try_recv()
        {
            block.extend(more.map_err(fail)?);
        }
        self.bar.inc(block.len() as u64);
        let text = text(block, &self.name, self.line)?;
        self.line += count_lines(&text);
        Ok(Some(text))
    }
}

/// The block as text; a byte order mark before the first line goes.
fn text(block: Vec<u8>, name: &str, line: u64) -> Result<String> {
    let mut text = input::utf8_from(block, name.as_ref(), line)?;
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
        read(&mut Slow(text.as_bytes()), false, &to);
        drop(to);
        let all: Vec<Vec<u8>> = from.iter().map(|lines| lines.unwrap()).collect();
        assert_eq!(all.concat(), text.as_bytes());
        assert!(all[..all.len() - 1].iter().all(|lines| lines.ends_with(b"\n")));
    }
}
