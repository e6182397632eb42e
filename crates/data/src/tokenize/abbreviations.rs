//! Words whose period belongs to them, and words that begin sentences.

/// What may follow an abbreviation, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name follows, so no sentence ends here: `Mr.`, `Gen.`, `St.`.
    Title,
    /// A sentence may end here, and its period then does double duty: `Inc.`, `U.S.`, `p.m.`.
    Other,
}

const TITLES: &[&str] = &[
    "Adm", "Amb", "Atty", "Brig", "Capt", "Cmdr", "Col", "Cpl", "Cong", "Dr", "Fr", "Ft", "Gen",
    "Gov", "Hon", "Lt", "Maj", "Messrs", "Mlle", "Mme", "Mr", "Mrs", "Ms", "Msgr", "Mt", "Pfc",
    "Pres", "Prof", "Pvt", "Rep", "Reps", "Rev", "Sen", "Sens", "Sgt", "Spc", "St", "Ste", "Supt",
];

const OTHERS: &[&str] = &[
    // Companies and people.
    "Bros", "Co", "Corp", "Cos", "Esq", "Inc", "Jr", "Ltd", "Sr", "corp", "inc", "ltd",
    // Months.
    "Jan", "Feb", "Apr", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec",
    // American states, those that are no words.
    "Ala", "Ariz", "Calif", "Colo", "Conn", "Fla", "Ga", "Ill", "Ky", "Md", "Mich", "Minn", "Mont",
    "Nev", "Okla", "Pa", "Penn", "Tenn", "Tex", "Va", "Vt", "Wis", "Wyo",
    // Streets, writing.
    "Ave", "Blvd", "approx", "ca", "cf", "dept", "est", "etc", "ft", "vs", "Ph.D", "Ph.Ds",
];

/// Words that begin a sentence far more often than a name.
const STARTERS: &[&str] = &[
    "A",
    "After",
    "Also",
    "Although",
    "An",
    "And",
    "As",
    "At",
    "Because",
    "Both",
    "But",
    "By",
    "During",
    "Earlier",
    "Even",
    "For",
    "From",
    "He",
    "Her",
    "His",
    "How",
    "However",
    "I",
    "If",
    "In",
    "Instead",
    "It",
    "Its",
    "Last",
    "Later",
    "Many",
    "Meanwhile",
    "More",
    "Most",
    "My",
    "No",
    "On",
    "One",
    "Other",
    "Our",
    "Several",
    "She",
    "Since",
    "So",
    "Some",
    "Such",
    "That",
    "The",
    "Their",
    "Then",
    "There",
    "These",
    "They",
    "This",
    "Those",
    "To",
    "Under",
    "Until",
    "We",
    "What",
    "When",
    "Where",
    "While",
    "Who",
    "Why",
    "With",
    "You",
    "Your",
];

/// Whether a word, without its period, is an abbreviation whatever follows it.
pub fn kind(word: &str) -> Option<Kind> {
    // `Lt.-Gen.`, `pro-U.S.`: the last part decides, but not in `06-Feb`, which spreadsheets made
    // of tennis results.
    let last = match word.rsplit_once('-') {
        Some((head, last)) if !head.ends_with(|c: char| c.is_ascii_digit()) => last,
        _ => word,
    };
    if TITLES.contains(&last) {
        Some(Kind::Title)
    } else if is_acronym(last) || OTHERS.contains(&last) {
        Some(Kind::Other)
    } else {
        None
    }
}

/// Whether a word is a likely first word of a sentence.
pub fn begins_sentence(word: &str) -> bool {
    STARTERS.contains(&word)
}

/// Single letters with periods between them, at least two: `U.S`, `a.m`, `S.p.A`.
fn is_acronym(word: &str) -> bool {
    let is_letter = |part: &str| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_alphabetic) && letters.next().is_none()
    };
    word.contains('.') && word.split('.').all(is_letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_of_a_compound_decides() {
        let kinds = ["Mr", "U.S", "pro-U.S", "Lt.-Gen", "06-Feb", "space.com", "mr", "U"].map(kind);
        let (title, other) = (Some(Kind::Title), Some(Kind::Other));
        assert_eq!(kinds, [title, other, other, title, None, None, None, None]);
    }
}
