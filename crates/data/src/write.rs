//! From a [`Corpus`] back to a file that [`read`](crate::read) reads as the same corpus.

use std::io::{self, Write};

use crate::corpus::Corpus;

/// Writes one token a line, its columns (word, part of speech if there is one, tag if there is one)
/// with tabs between them, and a blank line after each sentence. UTF-8, LF.
///
/// ```
/// let corpus = data::Corpus::from_pairs(&[("Paris sleeps", "B-geo O")]);
/// let mut file = Vec::new();
/// data::write_conll(&corpus, &mut file)?;
/// assert_eq!(file, b"Paris\tB-geo\nsleeps\tO\n\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// What `out` says, and `InvalidData` for a word that this format cannot hold, since it has no
/// quotes: one with a tab, or one with a blank where words are the only column.
pub fn write_conll(corpus: &Corpus, mut out: impl Write) -> io::Result<()> {
    let separator = if corpus.has_pos || corpus.has_tags { '\t' } else { ' ' };
    if let Some(word) = corpus.words.iter().find(|word| word.contains(['\t', separator])) {
        let message = format!("{word:?} cannot be written in CoNLL columns; write csv instead");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    for sentence in corpus.sentences() {
        for j in 0..sentence.len() {
            write!(out, "{}", sentence.word(j))?;
            if corpus.has_pos {
                write!(out, "\t{}", sentence.pos(j))?;
            }
            if corpus.has_tags {
                write!(out, "\t{}", sentence.tag(j))?;
            }
            writeln!(out)?;
        }
        writeln!(out)?;
    }
    out.flush()
}

/// Writes a csv file with the header of the Kaggle corpus (`Sentence #,Word,POS,Tag`, without a
/// column that the corpus lacks); the sentence's name stands on its first row. UTF-8, CRLF.
///
/// # Errors
/// What `out` says.
pub fn write_csv(corpus: &Corpus, out: impl Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let columns = [("POS", corpus.has_pos), ("Tag", corpus.has_tags)];
    let present = columns.iter().filter(|(_, present)| *present).map(|(name, _)| *name);
    writer.write_record(["Sentence #", "Word"].into_iter().chain(present))?;
    for sentence in corpus.sentences() {
        for j in 0..sentence.len() {
            let first = j == 0;
            let name =
                if first { format!("Sentence: {}", sentence.number() + 1) } else { String::new() };
            let pos = corpus.has_pos.then(|| sentence.pos(j));
            let tag = corpus.has_tags.then(|| sentence.tag(j));
            writer.write_record([&*name, sentence.word(j)].into_iter().chain(pos).chain(tag))?;
        }
    }
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{CorpusBuilder, Source};
    use crate::read::{ReadOptions, read_bytes};

    fn corpus(has_pos: bool, has_tags: bool) -> Corpus {
        let mut builder = CorpusBuilder::new(Source::named("x"), has_pos, has_tags);
        let token = |pos| (has_pos.then_some(pos), has_tags.then_some("B-x"));
        for words in [["\"", "1,000", "#"], ["# a", "None", "…"]] {
            for word in words {
                let (pos, tag) = token("NN");
                builder.push_token(word, pos, tag, 1);
            }
            builder.end_sentence();
        }
        builder.finish()
    }

    #[test]
    fn what_is_written_is_read_as_the_same_corpus() {
        for (has_pos, has_tags) in [(true, true), (false, true), (true, false), (false, false)] {
            let written = corpus(has_pos, has_tags);
            let (mut csv, mut conll) = (Vec::new(), Vec::new());
            write_csv(&written, &mut csv).unwrap();
            let conll_result = write_conll(&written, &mut conll);
            assert_eq!(conll_result.is_ok(), has_pos || has_tags, "a blank in the only column");
            for (name, file) in [("x.csv", csv), ("x.conll", conll)] {
                if file.is_empty() {
                    continue;
                }
                let (read, _) = read_bytes(name, file, &ReadOptions::without_tags()).unwrap();
                assert_eq!((read.has_tags, read.len()), (has_tags, 2), "{name}");
                assert_eq!((read.has_pos, &read.words), (has_pos, &written.words), "{name}");
                assert_eq!((&read.tags, read.tag_ids()), (&written.tags, written.tag_ids()));
            }
        }
    }
}
