//! A text with entities into words and sentences, of which no entity is cut.

use std::ops::Range;

/// An entity in bytes.
pub type Labelled<'a> = (Range<usize>, &'a str);

/// The words of a text, cut once more wherever an entity begins or ends within one.
pub fn words_of(text: &str, entities: &[Labelled]) -> Vec<Range<usize>> {
    let tokens = data::tokenize(text);
    let borders = entities.iter().flat_map(|(range, _)| [range.start, range.end]);
    let mut borders: Vec<usize> = borders.collect();
    borders.dedup();
    let mut cut = Vec::with_capacity(tokens.len());
    for token in tokens {
        let mut token = token.start..token.end;
        let first = borders.partition_point(|&border| border <= token.start);
        for &border in borders[first..].iter().take_while(|&&border| border < token.end) {
            cut.push(token.start..border);
            token.start = border;
        }
        cut.push(token);
    }
    cut
}

/// Words of each sentence; entities are in order and apart. Where an entity reaches over the end of a sentence, it is none.
pub fn sentences(
    text: &str,
    words: &[Range<usize>],
    entities: &[Labelled],
    by_lines: bool,
) -> Vec<Range<usize>> {
    let whole = data::tokenize(text);
    let ends = data::sentences(&whole, text).into_iter().map(|s| whole[s.end - 1].end).collect();
    let ends: Vec<usize> = if by_lines { with_line_ends(text, &whole, ends) } else { ends };
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start = 0;
    for end in ends {
        let after = words.partition_point(|word| word.end <= end);
        // Entities are in order and apart: only the last that begins before can go on behind.
        let before = entities.partition_point(|(entity, _)| entity.start < end);
        let cuts = before > 0 && end < entities[before - 1].0.end;
        if !cuts && after > start {
            found.push(start..after);
            start = after;
        }
    }
    if start < words.len() {
        found.push(start..words.len());
    }
    found
}

/// Of ten lines, this many are one sentence each: then others are too.
const MOSTLY: usize = 9;
/// But not a line with so many ends of sentences before its own: that is a paragraph.
const PARAGRAPH: usize = 3;

/// Ends of sentences, of which none goes over the end of a line. Where nearly every line is a sentence, as `convert` writes
/// them, others are not cut further: an abbreviation or a quotation within one ends nothing.
fn with_line_ends(text: &str, tokens: &[data::Token], mut ends: Vec<usize>) -> Vec<usize> {
    let is_last = |two: &[data::Token]| text[two[0].end..two[1].start].contains('\n');
    let mut lines: Vec<usize> =
        tokens.windows(2).filter(|two| is_last(two)).map(|two| two[0].end).collect();
    lines.extend(tokens.last().map(|token| token.end));
    let mut within = vec![0; lines.len()];
    ends.iter().filter_map(|end| lines.binary_search(end).err()).for_each(|line| within[line] += 1);
    let several = within.iter().filter(|&&n| n > 0).count();
    if 10 * several <= (10 - MOSTLY) * lines.len() {
        ends.retain(|end| lines.binary_search(end).is_err_and(|line| within[line] >= PARAGRAPH));
    }
    ends.extend(lines);
    ends.sort_unstable();
    ends.dedup();
    ends
}
