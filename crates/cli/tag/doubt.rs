//! Whether a text is one for the model: looked at while it is tagged, told once (W014).

use std::sync::{Mutex, MutexGuard, Once};

use data::Warning;
use report::human::count;
use train::Model;
use train::doubts::Looks;

use crate::{Screen, warn};

/// So many lines are looked at for whether they are rows of a tagged file.
const ROWS: usize = 100;

/// What was seen of the input so far.
pub struct Doubt {
    seen: Mutex<Seen>,
    without_pos: Once,
    screen: Screen,
}

#[derive(Default)]
struct Seen {
    looks: Looks,
    settled: bool,
}

impl Doubt {
    /// Nothing seen yet.
    pub fn new(screen: Screen) -> Self {
        let seen = Seen { settled: screen.quiet, ..Seen::default() };
        Self { seen: Mutex::new(seen), without_pos: Once::new(), screen }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics with the lock in hand")
    }

    /// Whether nothing more will be said.
    pub fn is_settled(&self) -> bool {
        self.seen().settled
    }

    /// Says once that the model reads parts of speech and the text has none.
    pub fn without_pos(&self) {
        self.without_pos.call_once(|| warn(&[train::doubts::without_pos()], self.screen));
    }

    /// Takes in the words of a text until there are enough.
    pub fn look_at<'a>(&self, model: &Model, words: impl Iterator<Item = &'a str>) {
        let mut seen = self.seen();
        let mut words = words.peekable();
        while !seen.settled && words.peek().is_some() {
            seen.looks.add(model, words.next());
            if seen.looks.is_enough() {
                let of = format!("the first {} words", count(Looks::ENOUGH));
                self.tell(&mut seen, model, &of);
            }
        }
    }

    /// Says what there is to be said of a text that is over.
    pub fn end(&self, model: &Model) {
        let mut seen = self.seen();
        if !seen.settled {
            self.tell(&mut seen, model, "the words");
        }
    }

    fn tell(&self, seen: &mut Seen, model: &Model, of: &str) {
        seen.settled = true;
        warn(seen.looks.warning(model, of).as_slice(), self.screen);
    }

    /// Says so if a text is the rows of a tagged file.
    pub fn look_for_rows(&self, text: &str, name: &str) {
        let mut seen = self.seen();
        if seen.settled || !are_rows(text) {
            return;
        }
        seen.settled = true;
        let message = "this looks like rows of words and tags, not like text";
        let help = "--in conll reads its words; `longhand eval MODEL FILE` scores the model on it";
        warn(&[Warning::new("W014", message).at(name, None, None).help(help)], self.screen);
    }
}

/// Whether nearly all of the first lines end with a tag.
fn are_rows(text: &str) -> bool {
    let lines = text.lines().take(ROWS).filter(|line| !line.trim().is_empty());
    let (mut rows, mut others) = (0, 0);
    for line in lines {
        let last = line.trim_end().rsplit([' ', '\t', ',', ';']).next().unwrap_or_default();
        let row = last.len() < line.trim().len() && data::scheme::split_tag(last).is_some();
        *(if row { &mut rows } else { &mut others }) += 1;
    }
    rows >= 3 && rows >= 9 * others
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_from_text() {
        let rows = "1,Ann,NNP,B-per\n,left,VBD,O\n,a,DT,O\n".repeat(9);
        assert!(are_rows(&format!("Sentence #,Word,POS,Tag\n{rows}")));
        assert!(are_rows("Ann B-per\nleft O\n\nRome B-geo\n"));
        assert!(are_rows("Ann\tB-per\r\nleft\tO\r\nRome\tI-geo\r\n"));
        assert!(!are_rows("Ann left.\nBlood of group O\nVitamin B\n"));
        assert!(!are_rows("O\nO\nO\n"));
        assert!(!are_rows(""));
    }
}
