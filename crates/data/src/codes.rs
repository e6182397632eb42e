//! What each code of an error or a warning means.

/// Code and explanation of every error (`E…`) and warning (`W…`), in order of their numbers; those
/// that other crates raise included. A code never changes its meaning.
pub const CODES: &[(&str, &str)] = &[
    (
        "E001",
        "A byte of the file does not decode. Text files are read as UTF-8 unless they say otherwise \
         by a byte order mark or you do by --encoding. The message names the byte, its line and the \
         character in that line. Old Windows files are mostly windows-1252; a file that is UTF-8 but \
         for a few bytes is damaged, and reading it as something else would spoil the rest.",
    ),
    (
        "W001",
        "The file is not UTF-8 and has no byte order mark; it was read as windows-1252, which fits \
         every byte. The message shows what the first byte beyond ASCII becomes: if that looks wrong, \
         name the encoding (--encoding).",
    ),
    (
        "E002",
        "A column is missing. In a csv file columns are found by their header (word or token; tag, \
         label or ner; pos; sentence #, sentence_idx or sentence_id, in any case); in CoNLL files \
         by what stands in them. --columns names them: token=word,tag=label by header, token=1,tag=4 \
         by number, pos=none for a column not to be read.",
    ),
    (
        "W002",
        "The file was read as ISO-8859-1 because you said latin1, but it holds bytes from 0x80 to \
         0x9F, which are control characters there and quotes and dashes in windows-1252. Web browsers \
         treat both names as windows-1252; longhand takes you at your word.",
    ),
    (
        "E003",
        "A row has more or fewer fields than the others. One field too many is mostly a comma or a \
         blank inside a word that is not quoted; one too few is mostly a missing tag.",
    ),
    (
        "W003",
        "A sentence number comes back after other sentences. Rows are taken in file order, so such a \
         sentence is two; a file that was sorted by something else must be put in order first.",
    ),
    (
        "E004",
        "A sentence of more than 10,000 tokens: nothing in the file separates sentences. A CoNLL file \
         needs a blank line after each; a csv file needs either blank rows or a column that numbers \
         sentences.",
    ),
    (
        "E005",
        "A tag stands where its scheme does not allow it, such as I-org after O in IOB2. The message \
         names the first and counts all. Either the file is in another scheme (--scheme), or its \
         annotation is faulty: longhand convert FILE OUT --repair rewrites such tags and lists each.",
    ),
    (
        "E006",
        "Tags of two schemes are mixed: letters of IOBES and BILOU in one file, or B and I in one \
         part and S and E in another. Convert them to one scheme first (longhand convert).",
    ),
    (
        "E007",
        "Sentences to be scored hold entity types that the training sentences lack, so they can never \
         be found. Often a spelling (PER, person). --allow-new-labels goes on and counts them as \
         missed.",
    ),
    (
        "W007",
        "As E007, but allowed: by --allow-new-labels, or since the program itself drew the parts from the data (--split).",
    ),
    (
        "W008",
        "Sentences of the dev or test part stand word for word in the training part, which flatters \
         the scores. Splitting by fractions keeps equal sentences together by default.",
    ),
    (
        "E009",
        "The tag column holds no entity: all values are O, or they are something else such as parts \
         of speech. A tag is O, or a letter (B, I, E, S, L or U), a hyphen and a type. In columns with \
         blanks between them a first line with the names of the columns is no tag either: remove it.",
    ),
    (
        "W010",
        "After some epochs the model still says O everywhere. Most often the learning rate is far too \
         low or far too high; compare the scores with the floors that training prints.",
    ),
    (
        "E011",
        "The loss or a gradient stopped being a finite number. The message names the first value that \
         did. The best model so far is kept; lower the learning rate or clip gradients.",
    ),
    (
        "E012",
        "The output folder holds a run. Continue it (--resume), name another folder, or overwrite it (--force): \
         the old run stands until the new one, meanwhile in the folder `unfinished` within it, is finished; --resume \
         then goes on with that one. Or another training writes there: two do not write into one folder at a time. \
         What the run reads is never written over.",
    ),
    (
        "E013",
        "The file is no model, is damaged, or was made by a version that this one cannot read.",
    ),
    (
        "W014",
        "The text is unlike what the model was trained on: far more of its words are unknown than \
         were in training. Text that is cut into tokens already is given with --in conll; text in \
         one case only suits no cased model.",
    ),
    (
        "E015",
        "A line of a vectors file cannot be read: another count of numbers than on the first line, or \
         what is no number; or the file holds no vectors at all. A line is a word, then its numbers \
         with blanks between them: the text of GloVe, of word2vec and of fastText (.vec). word2vec's \
         binary file is read too, fastText's own model (.bin) is not.",
    ),
    (
        "W015",
        "The vectors cover few of the corpus's words. Are they of another language, or lower-cased \
         while the corpus is not?",
    ),
    ("W016", "Words of a vectors file come again further down. The first vector of each was kept."),
    (
        "W017",
        "Words of a vectors file are empty or not UTF-8. They were left out: no text can ask for them.",
    ),
    (
        "W018",
        "The header of a vectors file promises another number of words than follow. A file with too \
         few was cut off, perhaps on purpose.",
    ),
    ("E021", "There is no such file. The nearest name in that folder is given."),
    ("E022", "The file cannot be read: it is a folder, or the system refuses."),
    ("E023", "The file holds no token: it is empty, or has a header and nothing below it."),
    (
        "E024",
        "A .gz or .zip file is damaged or cut off, is locked by a password, or holds no file that \
         could be a corpus. An .xlsx workbook is a zip archive too: save it as CSV.",
    ),
    (
        "W024",
        "An archive holds several files that could be meant; the message says which one was read.",
    ),
    (
        "E025",
        "The file holds zero bytes, so it is no text. UTF-16 without a byte order mark looks like \
         this and is read with --encoding utf-16le.",
    ),
    (
        "E026",
        "A field begins with a quote and its line ends before the quote does. In csv a word that is \
         a quote itself is written \"\"\"\": in quotes, and doubled. One that stands bare swallows all \
         that follows up to the next quote.",
    ),
    ("E027", "An option names an encoding, a format or a tag scheme that does not exist."),
    (
        "E028",
        "A split file cannot be used. It has one line a part: train, valid (or dev), test; then a tab \
         and sentence numbers from 0 with blanks between them, each number in one part and once.",
    ),
    (
        "E029",
        "Fractions of a split are three numbers for train, dev and test that sum to 100 or to 1, the \
         first not 0 and none negative.",
    ),
    (
        "E030",
        "The option --columns is a list such as token=word,tag=label,pos=none,sentence=\"Sentence #\"; \
         a value is a header, a number from 1, or none.",
    ),
    ("E031", "A row has no word, or no tag. Outside entities the tag is O."),
    (
        "E032",
        "A field holds the tags of several tokens, or a sentence has not as many tags as words. In a file \
         of tokens a row is one token. A csv file with a header may have whole sentences instead: words \
         with blanks between them in one column, in another as many tags, with blanks between them or as \
         a list that Python printed: ['O', 'B-geo'].",
    ),
    (
        "W032",
        "Several columns hold entity tags of the same types: gold tags beside predicted ones, or outer \
         entities beside inner ones. The message says which was read; --columns tag=N reads another. Without \
         names of columns the last one with tags is read.",
    ),
    (
        "E033",
        "The file holds texts with entities (JSON lines, BRAT), not tokens with tags. `longhand convert` cuts \
         the texts into tokens and writes a file of them, which all commands read.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    fn every_code_is_explained_once() {
        let codes: HashSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes.len(), CODES.len());
    }

    /// Codes in string literals of their own, in all files below a folder.
    fn raised_in(folder: &Path, codes: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                raised_in(&path, codes);
                continue;
            }
            let is_code = |literal: &&str| {
                literal.len() == 4
                    && literal.starts_with(['E', 'W', 'I'])
                    && literal[1..].bytes().all(|byte| byte.is_ascii_digit())
            };
            let text = std::fs::read_to_string(&path).unwrap();
            codes.extend(text.split('"').filter(is_code).map(str::to_string));
        }
    }

    #[test]
    fn every_code_that_this_crate_raises_is_explained() {
        let known = CODES.iter().chain(crate::doctor::CODES);
        let known: HashSet<&str> = known.map(|(code, _)| *code).collect();
        let mut raised = Vec::new();
        raised_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut raised);
        assert!(raised.len() > 50);
        let unknown: Vec<_> = raised.iter().filter(|code| !known.contains(&code[..])).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
}
