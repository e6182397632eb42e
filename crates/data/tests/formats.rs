//! Every form in which a corpus may come, in a few lines each.

use std::io::Write;

use data::{Column, Columns, Corpus, Encoding, Format, ReadOptions, Warning, read, read_bytes};

fn options() -> ReadOptions {
    ReadOptions::default()
}

fn columns(text: &str) -> ReadOptions {
    ReadOptions { columns: Columns::parse(text).unwrap(), ..options() }
}

fn parse_with(name: &str, text: impl AsRef<[u8]>, options: &ReadOptions) -> (Corpus, Vec<Warning>) {
    read_bytes(name, text.as_ref(), options).unwrap_or_else(|error| panic!("{error}"))
}

fn parse(name: &str, text: impl AsRef<[u8]>) -> Corpus {
    let (corpus, warnings) = parse_with(name, text, &options());
    assert_eq!(warnings, []);
    corpus
}

/// Sentences on lines of their own, tokens as `word/tag`, with the part of speech if there is one.
fn shown(corpus: &Corpus) -> String {
    let token = |s: data::Sentence<'_>, j: usize| {
        let mut text = s.word(j).to_string();
        if corpus.has_pos {
            text += &format!("/{}", s.pos(j));
        }
        if corpus.has_tags {
            text += &format!("/{}", s.tag(j));
        }
        text
    };
    let sentence =
        |s: data::Sentence<'_>| (0..s.len()).map(|j| token(s, j)).collect::<Vec<_>>().join(" ");
    corpus.sentences().map(sentence).collect::<Vec<_>>().join("\n")
}

const KAGGLE: &str = "Sentence #,Word,POS,Tag\r\n\
    Sentence: 1,\"\"\"\",``,O\r\n,\"1,000\",CD,O\r\n,None,NN,O\r\n\
    Sentence: 2,Iraq,NNP,B-geo\r\n,.,.,O\r\n";

#[test]
fn a_kaggle_csv_is_read_as_it_is_downloaded() {
    let corpus = parse("x.csv", KAGGLE);
    assert_eq!(shown(&corpus), "\"/``/O 1,000/CD/O None/NN/O\nIraq/NNP/B-geo ././O");
    let lines: Vec<u64> =
        corpus.sentences().flat_map(|s| (0..s.len()).map(move |j| s.line(j))).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    assert_eq!((corpus.source.format, corpus.source.encoding), (Format::Csv, "UTF-8"));
    assert_eq!(corpus.source.bytes, KAGGLE.len() as u64);
}

#[test]
fn line_ends_and_the_last_line_without_one_make_no_difference() {
    let expected = shown(&parse("x.csv", KAGGLE));
    for text in
        [KAGGLE.replace("\r\n", "\n"), KAGGLE.replace("\r\n", "\r"), KAGGLE.trim_end().to_string()]
    {
        assert_eq!(shown(&parse("x.csv", text)), expected);
    }
    let conll = "a O\nb B-x\n\nc O\n";
    for text in
        [conll.replace('\n', "\r\n"), conll.replace('\n', "\r"), conll.trim_end().to_string()]
    {
        assert_eq!(shown(&parse("x.conll", text)), "a/O b/B-x\nc/O");
    }
}

#[test]
fn csv_columns_are_known_by_header_in_any_order_and_case() {
    let text = "tag,sentence_idx,shape,WORD\nO,1,xx,in\nB-geo,1,Xx,Iraq\nO,2,xx,so\n";
    assert_eq!(shown(&parse("ner.csv", text)), "in/O Iraq/B-geo\nso/O");
    let text = "id;label;token\n1;O;a\n";
    assert_eq!(shown(&parse("x", text)), "a/O", "semicolons, and no extension");
    let text = "Word|POS|Tag\nRome, Italy|NNP|B-geo\n";
    assert_eq!(shown(&parse("x.csv", text)), "Rome, Italy/NNP/B-geo");
    let text = "token\tner\n\"\tO\na b\tO\n";
    assert_eq!(shown(&parse("x.tsv", text)), "\"/O a b/O", "tabs, and a quote that is a word");
}

#[test]
fn csv_sentences_end_at_a_new_name_or_at_a_blank_row_of_any_kind() {
    let text = "Word,Tag\na,O\n\nb,O\r\n\r\n\r\nc,O\n,\nd,O\n  \ne,O\n";
    let corpus = parse("x.csv", text);
    assert_eq!(shown(&corpus), "a/O\nb/O\nc/O\nd/O\ne/O");
    let lines: Vec<u64> = corpus.sentences().map(|s| s.line(0)).collect();
    assert_eq!(lines, [2, 4, 7, 9, 11]);
    assert_eq!(shown(&parse("x.csv", "\n  \nWord,Tag\na,O\n")), "a/O", "blank rows on top");
    let (corpus, warnings) =
        parse_with("x.csv", "sent_id,word,tag\n1,a,O\n2,b,O\n1,c,O\n", &options());
    assert_eq!(shown(&corpus), "a/O\nb/O\nc/O", "file order, whatever the names");
    assert_eq!((warnings[0].code, warnings[0].place.as_ref().unwrap().line), ("W003", Some(4)));
}

#[test]
fn csv_columns_are_named_by_option_when_headers_say_nothing() {
    let text = "s,w,t,x\n1,a,O,NN\n1,b,B-x,NN\n2,c,O,NN\n";
    let by_name = parse_with("x.csv", text, &columns("token=w,tag=T,sentence=s,pos=x")).0;
    assert_eq!(shown(&by_name), "a/NN/O b/NN/B-x\nc/NN/O");
    let by_number = parse_with("x.csv", text, &columns("token=2,tag=3,sentence=1")).0;
    assert_eq!(shown(&by_number), "a/O b/B-x\nc/O");
    let headless = parse_with("x.csv", "a,O\nb,B-x\n", &columns("token=1,tag=2")).0;
    assert_eq!(shown(&headless), "a/O b/B-x", "numbers need no header");
}

#[test]
fn conll_columns_are_told_by_their_values() {
    let conll2003 =
        "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nPeter NNP B-NP B-PER\n";
    assert_eq!(
        shown(&parse("eng.testa", conll2003)),
        "EU/NNP/B-ORG rejects/VBZ/O\nPeter/NNP/B-PER"
    );
    let two = "EU\tB-ORG\nsays  \tO\n";
    assert_eq!(
        shown(&parse("x.txt", two)),
        "EU/B-ORG says  /O",
        "blanks belong to fields with tabs"
    );
    let blanks = "EU   B-ORG\nsays \t O\n";
    assert_eq!(shown(&parse("x.txt", blanks)), "EU/B-ORG says/O", "runs of blanks and tabs");
    let tag_first = "B-ORG EU\nO says\n";
    assert_eq!(shown(&parse("x.txt", tag_first)), "EU/B-ORG says/O");
    let bare = "a B\nb I\nc O\n";
    assert_eq!(shown(&parse("x.txt", bare)), "a/B b/I c/O", "tags without a type");
}

#[test]
fn universal_ner_files_keep_tokens_that_look_like_comments() {
    let text = "# newdoc id = 3\n# text = # 1\n1\t#\tO\tO#O\ts\n2\tC#\tB-X\tB-X#O\ts\n\n\
                # sent_id = 2\n1\t# a\tO\tO#O\ts\n";
    assert_eq!(shown(&parse("x.iob2", text)), "#/O C#/B-X\n# a/O");
    let text = "# comment = 1\n# O\n#tag B-x\na O\n#begin document (x); part 0\n#\n";
    assert_eq!(shown(&parse("x.conll", text)), "#/O #tag/B-x a/O");
}

#[test]
fn conll_columns_are_named_by_number() {
    let text = "1 EU ORG B-ORG O\n1 is V O O\n2 so R O O\n";
    let corpus = parse_with("x", text, &columns("sentence=1,token=2,pos=3,tag=4")).0;
    assert_eq!(shown(&corpus), "EU/ORG/B-ORG is/V/O\nso/R/O");
}

#[test]
fn words_alone_are_enough_for_tagging() {
    let options = ReadOptions::without_tags();
    let corpus = parse_with("x.txt", "Paris\nsleeps\n\n#\n", &options).0;
    assert_eq!((shown(&corpus).as_str(), corpus.has_tags), ("Paris sleeps\n#", false));
    let corpus = parse_with("x.csv", "word,pos\nParis,NNP\n", &options).0;
    assert_eq!((shown(&corpus).as_str(), corpus.has_tags), ("Paris/NNP", false));
    let corpus = parse_with("x.conll", "Paris B-geo\n", &options).0;
    assert_eq!(shown(&corpus), "Paris/B-geo", "tags are read where there are some");
    let skipped =
        ReadOptions { columns: Columns { tag: Column::Absent, ..Default::default() }, ..options };
    let corpus = parse_with("x.conll", "Paris B-geo\n", &skipped).0;
    assert_eq!(shown(&corpus), "Paris");
}

#[test]
fn the_encoding_is_told_by_mark_by_validity_and_by_name() {
    let text = "Word,Tag\nÉire,B-geo\n…,O\n";
    let expected = "Éire/B-geo …/O";
    let utf16 = |to: fn(u16) -> [u8; 2]| {
        format!("\u{feff}{text}").encode_utf16().flat_map(to).collect::<Vec<u8>>()
    };
    let with = |bytes: &[u8], name: &str| {
        let options = ReadOptions { encoding: Encoding::parse(name).unwrap(), ..options() };
        parse_with("x.csv", bytes, &options)
    };
    let cases = [
        (text.as_bytes().to_vec(), "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (utf16(u16::to_le_bytes), "UTF-16LE"),
        (utf16(u16::to_be_bytes), "UTF-16BE"),
    ];
    for (bytes, name) in &cases {
        let corpus = parse("x.csv", bytes);
        assert_eq!((shown(&corpus).as_str(), corpus.source.encoding), (expected, *name));
        assert_eq!(shown(&with(bytes, name).0), expected, "{name} by name, mark and all");
    }
    let unmarked: Vec<u8> = utf16(u16::to_le_bytes)[2..].to_vec();
    assert_eq!(shown(&with(&unmarked, "utf-16le").0), expected);
    let cp1252 = b"Word,Tag\n\xc9ire,B-geo\n\x85,O\n";
    let (corpus, warnings) = parse_with("x.csv", cp1252, &options());
    assert_eq!((shown(&corpus).as_str(), corpus.source.encoding), (expected, "windows-1252"));
    assert_eq!(warnings.len(), 1);
    assert_eq!(
        warnings[0].to_string(),
        "warning[W001]: not UTF-8, read as windows-1252: first of 2 such bytes is 0xc9, which is \"É\"\n  \
         --> x.csv:2:1\n  help: `--encoding windows-1252` says so without this warning"
    );
    assert_eq!(with(cp1252, "cp1252").1, []);
    let (latin1, warnings) = with(cp1252, "latin1");
    assert_eq!(shown(&latin1), "Éire/B-geo \u{85}/O", "latin1 is ISO-8859-1, not windows-1252");
    assert_eq!((warnings[0].code, latin1.source.encoding), ("W002", "ISO-8859-1"));
    let sjis = b"Word,Tag\n\x93\x8c\x8b\x9e,B-geo\n";
    assert_eq!(shown(&with(sjis, "shift_jis").0), "東京/B-geo");
}

#[test]
fn no_break_spaces_and_odd_line_ends_stay_inside_words() {
    let corpus = parse_with("x.csv", b"Word,Tag\n5\xa0storm,O\na\x85b,O\n", &options()).0;
    assert_eq!(shown(&corpus), "5\u{a0}storm/O a…b/O");
    let corpus = parse("x.conll", "5\u{a0}storm O\na\u{2028}b\u{85} O\n");
    assert_eq!(shown(&corpus), "5\u{a0}storm/O a\u{2028}b\u{85}/O");
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn packed_files_are_told_by_their_first_bytes() {
    let plain = parse("x.csv", KAGGLE);
    let gz = parse("x.csv.gz", gzip(KAGGLE.as_bytes()));
    assert_eq!((shown(&gz), &gz.source.sha256), (shown(&plain), &plain.source.sha256));
    assert_eq!(shown(&parse("download", gzip(KAGGLE.as_bytes()))), shown(&plain));
    let two = [gzip(&KAGGLE.as_bytes()[..40]), gzip(&KAGGLE.as_bytes()[40..])].concat();
    assert_eq!(shown(&parse("x.csv.gz", two)), shown(&plain), "gzip files end to end");
    let zipped = zip(&[("readme.md", "x"), ("__MACOSX/._a.csv", "x"), ("d/a.csv", KAGGLE)]);
    let corpus = parse("x.zip", zipped);
    assert_eq!((shown(&corpus), corpus.source.member.as_deref()), (shown(&plain), Some("d/a.csv")));
}

#[test]
fn of_several_members_the_best_is_read_and_the_others_are_named() {
    let zipped =
        zip(&[("ner.csv", "word,tag\nx,O\n"), ("ner_dataset.csv", KAGGLE), ("a.txt", "y O\n")]);
    let (corpus, warnings) = parse_with("x.zip", &zipped, &options());
    assert_eq!(corpus.source.member.as_deref(), Some("ner_dataset.csv"));
    assert_eq!(warnings[0].code, "W024");
    assert!(warnings[0].message.contains("\"ner.csv\", \"a.txt\""), "{}", warnings[0]);
    let chosen = ReadOptions { member: Some("a.txt".into()), ..options() };
    assert_eq!(shown(&parse_with("x.zip", &zipped, &chosen).0), "y/O");
}

#[test]
fn a_path_is_read_like_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, KAGGLE).unwrap();
    let (corpus, _) = read(&path, &options()).unwrap();
    assert_eq!(shown(&corpus), shown(&parse("x.csv", KAGGLE)));
    assert_eq!(corpus.source.path, path.to_string_lossy());
    assert_eq!(data::read_text(&path, Encoding::Auto).unwrap().0, KAGGLE);
}
