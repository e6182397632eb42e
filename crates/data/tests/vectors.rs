//! Word vectors: every form of a file, every way in which it can be wrong, and the real thing.
//!
//! `LONGHAND_GLOVE` names the first 50,000 lines of Stanford's `glove.6B.50d.txt`, possibly packed,
//! `LONGHAND_GMB` the csv file of the Groningen Meaning Bank subset. Where a variable is not set, its
//! tests say that they did nothing.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use data::{Error, Interner, ReadOptions, Vectors, VectorsFormat, Warning};
use proptest::prelude::*;

type Words = Vec<(String, Vec<f32>)>;

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn try_read(name: &str, bytes: impl AsRef<[u8]>) -> data::Result<(Vectors, Vec<Warning>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), name, bytes);
    Vectors::read(&path, None, None).map_err(|mut error| {
        // Messages are compared without the folder.
        error.place.as_mut().unwrap().file = name.to_string();
        error
    })
}

fn read(name: &str, bytes: impl AsRef<[u8]>) -> (Vectors, Vec<Warning>) {
    try_read(name, bytes).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn error(name: &str, bytes: impl AsRef<[u8]>) -> Error {
    match try_read(name, bytes) {
        Err(error) => error,
        Ok((vectors, _)) => panic!("read {} vectors of {name}", vectors.len()),
    }
}

#[track_caller]
fn check(error: Error, expected: &str) {
    assert_eq!(error.to_string(), expected, "\n{error}");
}

fn listed(vectors: &Vectors) -> Words {
    let words = vectors.words.iter().enumerate();
    words.map(|(n, word)| (word.to_string(), vectors.row(n as u32).to_vec())).collect()
}

fn codes(warnings: &[Warning]) -> Vec<&str> {
    warnings.iter().map(|warning| warning.code).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The bytes of word2vec's binary form.
fn binary(words: &[(String, Vec<f32>)], dim: usize, line_end: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{} {dim}\n", words.len()).into_bytes();
    for (word, row) in words {
        bytes.extend_from_slice(format!("{word} ").as_bytes());
        bytes.extend(row.iter().flat_map(|number| number.to_le_bytes()));
        bytes.extend_from_slice(line_end);
    }
    bytes
}

fn three() -> Words {
    let rows = [("the", [0.418, -5.8e-5]), ("</s>", [1.0, -0.0]), ("naïve", [3e8, 0.25])];
    rows.map(|(word, row)| (word.to_string(), row.to_vec())).to_vec()
}

const GLOVE: &str = "the 0.418 -5.8e-05\n</s> 1 -0.0\nnaïve 3E+8 .25\n";

#[test]
fn every_form_reads_the_same_plain_gzipped_and_zipped() {
    let fasttext = format!("3 2\n{}", GLOVE.replace('\n', " \n"));
    let windows = format!("\u{feff}{}", GLOVE.replace('\n', "\r\n"));
    let tabs = GLOVE.replace(' ', "\t");
    let unended = GLOVE.trim_end();
    for (name, bytes, format) in [
        ("x.txt", GLOVE.as_bytes(), VectorsFormat::Glove),
        ("x.txt", windows.as_bytes(), VectorsFormat::Glove),
        ("x.txt", tabs.as_bytes(), VectorsFormat::Glove),
        ("x.txt", unended.as_bytes(), VectorsFormat::Glove),
        ("x.vec", fasttext.as_bytes(), VectorsFormat::Word2vec),
        ("x.bin", fasttext.as_bytes(), VectorsFormat::Word2vec),
        ("x.bin", &binary(&three(), 2, b"\n"), VectorsFormat::Word2vecBinary),
        ("x.bin", &binary(&three(), 2, b""), VectorsFormat::Word2vecBinary),
        ("x.vec", &binary(&three(), 2, b"\n"), VectorsFormat::Word2vecBinary),
    ] {
        for (outer, packed, member) in [
            (name.to_string(), bytes.to_vec(), None),
            (format!("{name}.gz"), gzip(bytes), None),
            ("x.zip".to_string(), zip(&[("readme.md", b"!"), (name, bytes)]), Some(name)),
        ] {
            let (vectors, warnings) = read(&outer, packed);
            assert_eq!(listed(&vectors), three(), "{outer}");
            assert_eq!((vectors.dim, vectors.len(), codes(&warnings)), (2, 3, vec![]), "{outer}");
            let source = &vectors.source;
            assert_eq!((source.format, source.member.as_deref()), (format, member), "{outer}");
            assert_eq!(source.n_read, 3);
        }
    }
}

#[test]
fn one_member_of_an_archive_is_chosen_and_another_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let members: [(&str, &[u8]); 2] = [("a/x.50d.txt", b"the 1 2"), ("a/x.100d.txt", b"the 1 2 3")];
    let path = file(folder.path(), "x.zip", zip(&members));
    let (vectors, warnings) = Vectors::read(&path, None, None).unwrap();
    assert_eq!((vectors.dim, codes(&warnings)), (2, vec!["W024"]));
    let help = format!("a path names another: {}/MEMBER", path.display());
    assert_eq!(warnings[0].help, Some(help));
    let (vectors, warnings) = Vectors::read(path.join("a/x.100d.txt"), None, None).unwrap();
    assert_eq!((vectors.dim, warnings), (3, vec![]));
    assert_eq!(vectors.source.member.as_deref(), Some("a/x.100d.txt"));
    let missing = Vectors::read(path.join("b.txt"), None, None).unwrap_err();
    assert_eq!((missing.code, &*missing.message), ("E024", "no member \"b.txt\" in the archive"));
    let plain = file(folder.path(), "x.txt", GLOVE);
    assert_eq!(Vectors::read(plain.join("b.txt"), None, None).unwrap_err().code, "E021");
    check(
        error("x.zip", zip(&[("a.pdf", b"")])),
        "error[E024]: no .txt, .vec or .bin file in the archive\n  --> x.zip\n  help: it holds a.pdf",
    );
}

#[test]
fn words_may_hold_blanks_as_in_glove_840b() {
    let (vectors, warnings) = read("x.txt", "the 1 2\n. . . 3 4\nat name@domain.com 5 6\n");
    assert_eq!(vectors.words.iter().collect::<Vec<_>>(), ["the", ". . .", "at name@domain.com"]);
    assert_eq!((&vectors.rows[..], warnings), (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0][..], vec![]));
}

#[test]
fn only_wanted_words_among_the_first_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = binary(&three(), 2, b"\n");
    let paths = [file(folder.path(), "x.txt", GLOVE), file(folder.path(), "x.bin", bytes)];
    let wanted: &dyn Fn(&str) -> bool = &|word| word != "the";
    for path in paths {
        let words = |wanted, limit| {
            let (vectors, warnings) = Vectors::read(&path, wanted, limit).unwrap();
            assert_eq!(warnings, [], "{}", path.display());
            assert_eq!(vectors.rows.len(), vectors.dim * vectors.len());
            (vectors.words.iter().map(str::to_string).collect::<Vec<_>>(), vectors.source.n_read)
        };
        assert_eq!(words(None, Some(2)), (vec!["the".into(), "</s>".into()], 2));
        assert_eq!(words(Some(wanted), None), (vec!["</s>".into(), "naïve".into()], 3));
        assert_eq!(words(Some(wanted), Some(2)), (vec!["</s>".into()], 2));
        assert_eq!(words(Some(&|_| false), None), (vec![], 3));
        assert_eq!(words(None, Some(0)), (vec![], 0));
    }
}

#[test]
fn a_word_is_looked_up_as_it_is_then_lower_cased_then_with_zeros_for_digits() {
    let (vectors, _) =
        read("x.txt", "Paris 1 0\nparis 2 0\nmaría 3 0\n00-year 4 0\n1984 5 0\n0000 6 0\n");
    let found = |word| vectors.get(word).map(|row| row[0]);
    assert_eq!([found("Paris"), found("PARIS"), found("MARÍA")], [Some(1.0), Some(2.0), Some(3.0)]);
    assert_eq!([found("1984"), found("1985"), found("19-Year")], [Some(5.0), Some(6.0), Some(4.0)]);
    assert_eq!([found("19"), found(""), found("１９８５")], [None; 3]);
    assert_eq!(Vectors::forms("A1").collect::<Vec<_>>(), ["A1", "a1", "a0"]);
}

#[test]
fn coverage_counts_types_and_tokens_by_how_they_were_found() {
    let (vectors, _) = read("x.txt", "the 1\nparis 2\n0000 3\n");
    let words = [("the", 6), ("The", 2), ("Paris", 1), ("1984", 1), ("zzz", 2), ("yyy", 1)];
    let coverage = vectors.coverage(words);
    assert_eq!((coverage.types, coverage.types_found, coverage.types_lowered), (6, 4, 2));
    assert_eq!((coverage.tokens, coverage.tokens_found, coverage.tokens_lowered), (13, 10, 3));
    assert_eq!((coverage.types_zeroed, coverage.tokens_zeroed), (1, 1));
    let warning = coverage.warning().unwrap();
    assert_eq!((warning.code, &*warning.message), ("W015", &*coverage.to_string()));
    assert_eq!(coverage.to_string(), "vectors cover 66.7 % of types, 76.9 % of tokens");
    assert_eq!(vectors.coverage([("the", 4), ("zzz", 1)]).warning(), None);
    assert_eq!(vectors.coverage([]).warning(), None);
}

#[test]
fn a_line_with_another_count_of_numbers_is_named() {
    check(
        error("glove.txt", "the 1 2 3\nof 1 2 3\n, 1 2\n"),
        "error[E015]: 2 numbers, expected 3\n  --> glove.txt:3\n   | , 1 2\n  \
         help: the first line has 3 numbers a word",
    );
    check(
        error("x.vec", "2 3\nthe 1 2 3 4\nof 1 2 3\n"),
        "error[E015]: 4 numbers, expected 3\n  --> x.vec:2\n   | the 1 2 3 4\n  \
         help: the header says 3 numbers a word",
    );
    check(
        error("x.txt.gz", gzip(b"\nthe 1 2\n\nof 1\n")),
        "error[E015]: 1 number, expected 2\n  --> x.txt.gz:4\n   | of 1\n  \
         help: the first line has 2 numbers a word",
    );
}

#[test]
fn what_is_no_finite_number_is_named_with_its_column() {
    for (line, message, column) in [
        ("de 1 0,5", "\"0,5\" is no finite number", 6),
        ("naïve x 2", "\"x\" is no finite number", 7),
        ("the nan 2", "\"nan\" is no finite number", 5),
        ("the 1 -inf", "\"-inf\" is no finite number", 7),
        ("the 1e39 2", "\"1e39\" is no finite number", 5),
    ] {
        let error = error("x.txt", format!("of 1 2\n{line}\n"));
        let place = error.place.unwrap();
        assert_eq!((error.code, &*error.message), ("E015", message));
        assert_eq!((place.line, place.column), (Some(2), Some(column)), "{line}");
        assert_eq!(error.excerpt.as_deref(), Some(line));
    }
}

#[test]
fn an_empty_file_says_so() {
    for (name, bytes) in [
        ("x.txt", "".as_bytes().to_vec()),
        ("x.txt", b"\r\n\n".to_vec()),
        ("x.txt", b"\xef\xbb\xbf".to_vec()),
        ("x.txt.gz", gzip(b"")),
        ("x.zip", zip(&[("x.txt", b"")])),
        ("x.vec", b"3 2\n".to_vec()),
        ("x.bin", b"0 2\n".to_vec()),
    ] {
        let error = error(name, bytes);
        assert_eq!(error.code, "E023", "{error}");
    }
}

#[test]
fn a_file_that_is_none_of_vectors_is_refused_at_its_first_line() {
    check(
        error("ner_dataset.csv", "Sentence #,Word,POS,Tag\r\nSentence: 1,Thousands,NNS,O\r\n"),
        "error[E015]: no file of vectors: its first line has no numbers\n  --> ner_dataset.csv:1\n   \
         | Sentence #,Word,POS,Tag\n  \
         help: a line is a word, then its numbers with blanks between them: the 0.418 0.24968",
    );
    for bytes in [
        "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n".as_bytes(),
        b"Word,Tag\nParis,B-geo\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xfet\0h\0e\0 \x001\0\n\0",
        b"3 0\nthe\n",
        b"3 99999999999\nthe 1\n",
        &[b'x'; 3_000_000],
    ] {
        let error = error("x.txt", bytes);
        let place = error.place.as_ref().unwrap();
        assert_eq!((error.code, place.line), ("E015", Some(1)), "{error}");
        assert!(error.to_string().len() < 500);
    }
    let endless = [b"the 1 2\n".to_vec(), vec![b'1'; 3_000_000]].concat();
    let endless = error("x.txt", endless);
    assert!(endless.message.contains("more than 1,048,575 bytes"), "{endless}");
    let model = error("cc.en.300.bin", b"\xba\x16\x4f\x2f\x0c\0\0\0");
    assert!(model.message.contains("fastText model"), "{model}");
}

#[test]
fn a_path_to_nothing_or_to_a_folder_names_the_file_that_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "glove.txt", GLOVE);
    let missing = Vectors::read(folder.path().join("golve.txt"), None, None).unwrap_err();
    let nearest = Some(format!("did you mean {}?", path.display()));
    assert_eq!((missing.code, missing.help), ("E021", nearest));
    let folder = Vectors::read(folder.path(), None, None).unwrap_err();
    assert_eq!(folder.code, "E022");
    assert!(folder.help.unwrap().contains("glove.txt"));
}

#[test]
fn an_archive_that_was_cut_off_says_so_with_the_line_it_came_to() {
    let mut text = String::new();
    for n in 0..50_000 {
        // Numbers that do not pack well, so that half the file is far from both ends.
        writeln!(text, "word{n} {} {}", f64::from(n).sin(), f64::from(n).cos()).unwrap();
    }
    let gz = gzip(text.as_bytes());
    let errors = [12, gz.len() / 2, gz.len() - 1].map(|length| error("x.gz", &gz[..length]));
    let lines = errors.map(|error| {
        assert_eq!((error.code, &*error.message), ("E024", "the gzip data ends too early"));
        error.place.unwrap().line.unwrap()
    });
    assert_eq!(lines[0], 1);
    assert!(lines[1] > 20_000 && lines[1] < 30_000, "{lines:?}");
    assert!(lines[2] >= 50_000, "{lines:?}");

    let mut flipped = gz.clone();
    let crc = flipped.len() - 6;
    flipped[crc] ^= 1;
    assert!(error("x.gz", flipped).message.contains("damaged"));
    let zip = zip(&[("x.txt", text.as_bytes())]);
    assert_eq!(error("x.zip", &zip[..zip.len() / 2]).code, "E024");
    let mut flipped = zip.clone();
    let entry = zip.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").unwrap();
    flipped[entry + 16] ^= 1; // of the check sum
    assert_eq!(error("x.zip", flipped).code, "E024");
}

#[test]
fn a_binary_file_that_was_cut_off_says_so_with_the_word_it_came_to() {
    let bytes = binary(&three(), 2, b"\n");
    // Header, the + 8, </s> + 8: in the second row, in the third word, behind the second row.
    for (length, word) in [(4 + 12 + 1 + 7, 2), (bytes.len() - 12, 3), (4 + 13 + 14, 3)] {
        check(
            error("x.bin", &bytes[..length]),
            &format!(
                "error[E015]: the file ends in word {word} of 3\n  --> x.bin\n  \
                 help: the file is damaged, or no binary file of word2vec: fetch it again"
            ),
        );
    }
    let cut = error("x.bin.gz", &gzip(&bytes)[..30]);
    assert_eq!(cut.code, "E024", "{cut}");
    let nan = vec![("the".to_string(), vec![0.5, f32::NAN])];
    let nan = error("x.bin", binary(&nan, 2, b"\n"));
    assert_eq!(&*nan.message, "word 1, \"the\", has a number that is not finite");
    let endless = [b"2 2\n".to_vec(), vec![0; 100_000]].concat();
    let endless = error("x.bin", endless);
    assert!(endless.message.contains("word 1 of 2 is longer than"), "{endless}");
}

#[test]
fn repeated_words_keep_their_first_row_and_are_counted() {
    let text = "the 1 2\nof 3 4\nthe 5 6\nthe 7 8\nof 9 10\n";
    let (vectors, warnings) = read("x.txt", text);
    assert_eq!((vectors.len(), &vectors.rows[..]), (2, &[1.0, 2.0, 3.0, 4.0][..]));
    assert_eq!((codes(&warnings), vectors.source.n_read), (vec!["W016"], 5));
    assert!(
        warnings[0].message.starts_with("left out 3 words as repeated, first \"the\""),
        "{}",
        warnings[0]
    );
    assert_eq!(warnings[0].place.as_ref().unwrap().line, Some(3));
    let twice = [three(), three()].concat();
    let (vectors, warnings) = read("x.bin", binary(&twice, 2, b""));
    assert_eq!((listed(&vectors), codes(&warnings)), (three(), vec!["W016"]));
}

#[test]
fn words_that_are_no_text_are_left_out_and_counted() {
    let (vectors, warnings) =
        read("x.txt", b"the 1 2\n\xff\xfe 3 4\n 5 6\nna\xefve 7 8\nof 9 10\n");
    assert_eq!(vectors.words.iter().collect::<Vec<_>>(), ["the", "of"]);
    assert_eq!((&vectors.rows[..], codes(&warnings)), (&[1.0, 2.0, 9.0, 10.0][..], vec!["W017"]));
    assert!(
        warnings[0].message.starts_with("left out 3 words as empty or not UTF-8"),
        "{}",
        warnings[0]
    );
    let mut bytes = binary(&three(), 2, b"\n");
    bytes[4] = 0xff;
    let (vectors, warnings) = read("x.bin", bytes);
    assert_eq!((vectors.len(), codes(&warnings)), (2, vec!["W017"]));
}

#[test]
fn a_header_that_counts_otherwise_is_reported_and_the_file_read() {
    for (text, message) in [
        ("400000 2\nthe 1 2\nof 3 4\n", "the header promises 400,000 words, the file has 2"),
        ("1 2\nthe 1 2\nof 3 4\n", "the header promises 1 word, the file has 2"),
    ] {
        let (vectors, warnings) = read("x.vec", text);
        assert_eq!((vectors.len(), codes(&warnings)), (2, vec!["W018"]));
        assert_eq!(warnings[0].message, message);
    }
    let longer = [binary(&three(), 2, b"\n"), b"\n!".to_vec()].concat();
    let (vectors, warnings) = read("x.bin", longer);
    assert_eq!((listed(&vectors), codes(&warnings)), (three(), vec!["W018"]));
    assert!(warnings[0].message.ends_with("but the file goes on behind them"), "{}", warnings[0]);
}

/// Words as files of text can hold them, blanks inside included, each with `dim` finite numbers.
fn any_words() -> impl Strategy<Value = (usize, Words)> {
    let piece = "[^ \t\r\n\u{feff}]{1,5}";
    let spaced = prop::collection::vec(piece, 1..4).prop_filter("no number ends it", |pieces| {
        pieces.len() == 1 || pieces.last().unwrap().parse::<f32>().is_err()
    });
    let word = spaced.prop_map(|pieces| pieces.join(" "));
    let number = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite());
    (2..9_usize).prop_flat_map(move |dim| {
        let row = (word.clone(), prop::collection::vec(number.clone(), dim));
        prop::collection::vec(row, 1..8).prop_map(move |mut words| {
            let mut seen = HashSet::new();
            words.retain(|(word, _)| seen.insert(word.clone()));
            (dim, words)
        })
    })
}

fn bits(words: &[(String, Vec<f32>)]) -> Vec<(String, Vec<u32>)> {
    let row = |row: &[f32]| row.iter().map(|number| number.to_bits()).collect();
    words.iter().map(|(word, numbers)| (word.clone(), row(numbers))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_written_as_text_comes_back_bit_for_bit(
        (dim, words) in any_words(),
        header in any::<bool>(),
        exponents in any::<bool>(),
        line_end in prop::sample::select(vec!["\n", " \n", "\r\n"]),
        blank in prop::sample::select(vec![" ", "\t"]),
    ) {
        let mut text = if header { format!("{} {dim}{line_end}", words.len()) } else { String::new() };
        for (word, row) in &words {
            text.push_str(word);
            for number in row {
                let _ = if exponents {
                    write!(text, "{blank}{number:e}")
                } else {
                    write!(text, "{blank}{number}")
                };
            }
            text.push_str(line_end);
        }
        let (vectors, warnings) = read("x.txt", text);
        prop_assert_eq!(bits(&listed(&vectors)), bits(&words));
        prop_assert_eq!((vectors.dim, warnings), (dim, vec![]));
    }

    #[test]
    fn what_is_written_as_binary_comes_back_bit_for_bit(
        (dim, words) in any_words(),
        line_end in any::<bool>(),
    ) {
        let words: Words = words.into_iter().map(|(word, row)| (word.replace(' ', "_"), row)).collect();
        let distinct: HashSet<&String> = words.iter().map(|(word, _)| word).collect();
        prop_assume!(distinct.len() == words.len());
        let bytes = binary(&words, dim, if line_end { b"\n" } else { b"" });
        let (vectors, warnings) = read("x.bin", bytes);
        prop_assert_eq!(bits(&listed(&vectors)), bits(&words));
        prop_assert_eq!((vectors.dim, warnings), (dim, vec![]));
    }

    #[test]
    fn no_file_makes_the_reader_panic(
        pieces in prop::collection::vec(prop::sample::select(vec![
            &b"the"[..], b" ", b"\t", b"0.5", b"-1e-5", b"\n", b"\r\n", b"\r", b"2 2\n", b"3", b"nan",
            b"\0", b"\0\0\0\x3f", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"PK\x03\x04",
            b"a 1 2\n", b". . 1 2\n", b"9999999999999999999999 2\n", b"9 100000\n",
        ]), 0..20),
        limit in prop::option::of(0..4_usize),
        name in prop::sample::select(vec!["x.txt", "x.bin"]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), name, pieces.concat());
        match Vectors::read(&path, Some(&|word| word != "a"), limit) {
            Ok((vectors, _)) => {
                prop_assert_eq!(vectors.rows.len(), vectors.len() * vectors.dim);
                prop_assert!(vectors.rows.iter().all(|number| number.is_finite()));
                prop_assert!(vectors.len() as u64 <= vectors.source.n_read);
            }
            Err(error) => prop_assert!(error.place.is_some(), "{error}"),
        }
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = std::env::var_os(name).map(PathBuf::from);
    if value.is_none() {
        // Not by `eprintln!`, which the test runner swallows.
        let what = format!("SKIPPED: the environment variable {name} is not set\n");
        let _ = std::io::stderr().write_all(what.as_bytes());
    }
    value
}

#[test]
fn glove_has_its_50000_words_and_numbers() {
    let Some(path) = variable("LONGHAND_GLOVE") else { return };
    let start = Instant::now();
    let (vectors, warnings) = Vectors::read(&path, None, None).unwrap();
    println!("{} vectors in {:.0?}", vectors.len(), start.elapsed());
    assert_eq!((vectors.len(), vectors.dim, warnings), (50_000, 50, vec![]));
    assert_eq!(vectors.words.iter().take(5).collect::<Vec<_>>(), ["the", ",", ".", "of", "to"]);
    assert_eq!(vectors.get("The").unwrap()[..4], [0.418, 0.24968, -0.41242, 0.1217]);
    assert_eq!(vectors.source.format, VectorsFormat::Glove);
    assert_eq!([vectors.lookup("–"), vectors.lookup("José")], [Some(217), Some(8617)]);
}

#[test]
fn glove_covers_gmb_as_is_published_for_it() {
    let Some(path) = variable("LONGHAND_GLOVE") else { return };
    let Some(gmb) = variable("LONGHAND_GMB") else { return };
    let (corpus, _) = data::read(gmb, &ReadOptions::default()).unwrap();
    let mut counts = vec![0; corpus.words.len()];
    for &id in corpus.word_ids() {
        counts[id as usize] += 1;
    }
    let (all, _) = Vectors::read(&path, None, None).unwrap();
    let coverage = all.coverage(corpus.words.iter().zip(counts.iter().copied()));
    println!("{coverage}: {coverage:?}");
    // Published for lower-casing alone, without zeros for digits.
    let share = |found, zeroed, of| 100.0 * (found - zeroed) as f64 / of as f64;
    let tokens = share(coverage.tokens_found, coverage.tokens_zeroed, coverage.tokens);
    let types = share(coverage.types_found, coverage.types_zeroed, coverage.types);
    assert_eq!((coverage.types, coverage.tokens), (35_178, 1_048_575));
    assert!((tokens - 98.26).abs() < 0.005 && (types - 72.5).abs() < 0.05, "{tokens} {types}");
    assert_eq!(coverage.warning(), None);

    let forms: Interner = {
        let mut forms = Interner::new();
        for form in corpus.words.iter().flat_map(Vectors::forms) {
            forms.intern(&form);
        }
        forms
    };
    let (some, _) = Vectors::read(&path, Some(&|word| forms.get(word).is_some()), None).unwrap();
    assert!(some.len() < all.len() / 2, "{} of {}", some.len(), all.len());
    for word in corpus.words.iter() {
        assert_eq!(some.get(word), all.get(word), "{word}");
    }
}
