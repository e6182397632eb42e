//! Readers under input that nobody would write by hand: no panic, and what was written comes back.

use data::{Columns, Corpus, Encoding, ReadOptions, read_bytes};
use proptest::prelude::*;

/// Pieces from which files that are nearly right can be made.
fn any_file() -> impl Strategy<Value = Vec<u8>> {
    let pieces: Vec<&[u8]> = vec![
        b"Word,Tag\n",
        b"Sentence #,Word,POS,Tag\r\n",
        b"\n",
        b"\r\n",
        b"\r",
        b",",
        b"\t",
        b" ",
        b"\"",
        b"\"\"",
        b";",
        b"O",
        b"B-x",
        b"I-x",
        b"word",
        b"\xc3\xa9",
        b"\x85",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xfe\xff",
        b"\0",
        b"# ",
        b"#",
        b"-DOCSTART-",
        b"1",
        b"2\t",
        b"a O\n",
        b"b\tB-x\n",
        b"\x1f\x8b\x08",
        b"PK\x03\x04",
    ];
    prop_oneof![
        prop::collection::vec(prop::sample::select(pieces), 0..30).prop_map(|p| p.concat()),
        prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Words and tags of sentences; words hold anything but line ends and zeros.
fn any_sentences() -> impl Strategy<Value = Vec<Vec<(String, &'static str)>>> {
    let word = "[^\r\n\0]{1,6}".prop_filter("not only blanks", |word| !word.trim().is_empty());
    let tag = prop::sample::select(vec!["O", "B-a", "I-a", "S-b-c"]);
    prop::collection::vec(prop::collection::vec((word, tag), 1..5), 1..6)
}

fn listed(corpus: &Corpus) -> Vec<Vec<(String, String)>> {
    let sentence = |s: data::Sentence<'_>| {
        (0..s.len()).map(|j| (s.word(j).to_string(), s.tag(j).to_string())).collect()
    };
    corpus.sentences().map(sentence).collect()
}

fn expected(sentences: &[Vec<(String, &str)>]) -> Vec<Vec<(String, String)>> {
    let owned = |tokens: &Vec<(String, &str)>| {
        tokens.iter().map(|(word, tag)| (word.clone(), tag.to_string())).collect()
    };
    sentences.iter().map(owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_file_makes_a_reader_panic(
        file in any_file(),
        name in prop::sample::select(vec!["x.csv", "x.conll", "x", "x.tsv", "x.gz"]),
        columns in prop::sample::select(vec!["", "token=1,tag=2", "token=Word,tag=none", "sentence=1"]),
        encoding in prop::sample::select(vec!["auto", "utf-8", "latin1", "utf-16le", "shift_jis"]),
        require_tags in any::<bool>(),
    ) {
        let columns = if columns.is_empty() { Columns::default() } else { Columns::parse(columns).unwrap() };
        let encoding = Encoding::parse(encoding).unwrap();
        let options = ReadOptions { columns, encoding, require_tags, ..ReadOptions::default() };
        match read_bytes(name, &file[..], &options) {
            Ok((corpus, _)) => {
                prop_assert!(corpus.sentences().all(|s| !s.is_empty()));
                prop_assert!(corpus.words.get("").is_none());
            }
            Err(error) => prop_assert!(error.place.is_some(), "{error}"),
        }
    }

    #[test]
    fn what_is_written_as_csv_comes_back(sentences in any_sentences(), crlf in any::<bool>()) {
        let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
        let mut writer =
            csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
        writer.write_record(["Sentence #", "Word", "Tag"]).unwrap();
        for (number, sentence) in sentences.iter().enumerate() {
            for (place, (word, tag)) in sentence.iter().enumerate() {
                let name = if place == 0 { format!("Sentence: {number}") } else { String::new() };
                writer.write_record([&name[..], word, tag]).unwrap();
            }
        }
        let file = writer.into_inner().unwrap();
        let (corpus, _) = read_bytes("x.csv", file, &ReadOptions::default()).unwrap();
        prop_assert_eq!(listed(&corpus), expected(&sentences));
        let lines: Vec<u64> =
            corpus.sentences().flat_map(|s| (0..s.len()).map(move |j| s.line(j))).collect();
        prop_assert_eq!(lines, (2..corpus.n_tokens() as u64 + 2).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_as_columns_comes_back(sentences in any_sentences()) {
        let clean = |word: &str| word.replace('\t', "_").trim_ascii().replace('#', "+").to_string();
        let sentences: Vec<Vec<(String, &str)>> = sentences
            .iter()
            .map(|tokens| tokens.iter().map(|(word, tag)| (format!("w{}", clean(word)), *tag)).collect())
            .collect();
        let line = |(word, tag): &(String, &str)| format!("{word}\t{tag}\n");
        let sentence = |tokens: &Vec<(String, &str)>| tokens.iter().map(line).collect::<String>();
        let file: String = sentences.iter().map(sentence).collect::<Vec<_>>().join("\n");
        let (corpus, _) = read_bytes("x.conll", file.into_bytes(), &ReadOptions::default()).unwrap();
        prop_assert_eq!(listed(&corpus), expected(&sentences));
    }
}
