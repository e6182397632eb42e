//! How long a run is where there is little to learn from: `min-steps`.

use super::Config;

/// What `min-steps` needs to know of a training part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Extent {
    pub sentences: usize,
    pub tokens: usize,
    pub characters: usize,
    pub entities: usize,
    /// Types that the network learns, which are those of the part's entities.
    pub types: usize,
}

/// `min-steps` makes batches of no fewer sentences …
const SMALLEST_BATCH: usize = 8;

/// … unless these have more tokens than this, on average.
const SMALLEST_BATCH_TOKENS: usize = 160;

/// If the smallest batches do not give `min-steps` steps, there are as many epochs as would, but this many at most …
const ENOUGH_EPOCHS: usize = 6;

/// … unless there are fewer steps than this: then as many epochs as would give these …
const FEWEST_STEPS: usize = 500;

/// … or this many epochs.
const MOST_EPOCHS: usize = 30;

/// … but always as many as show the network an entity of each type so often, on average, up to 30: with hundreds of
/// types a few thousand steps are few for each.
const FEWEST_SHOWN: usize = 150;

/// Epochs, at least, where a token is a character, as in scripts without spaces: its neighbours are what tells what
/// it is, and to learn that takes longer than to learn what a word is.
const CHARACTER_EPOCHS: u32 = 12;

impl Extent {
    /// Whether its tokens are single characters, most of them, as in scripts that set no blanks: fewer than three
    /// characters on two tokens.
    pub fn is_of_characters(self) -> bool {
        2 * self.characters < 3 * self.tokens
    }
}

impl Config {
    /// Makes a run that is too short for `part` longer, unless `min-steps` is 0. `batch` is halved, down to 8 sentences or
    /// 160 tokens, until there are `min-steps` steps. If that is not enough, epochs are added, up to 6; if there are not
    /// even 500 steps then, or an entity of each type would be shown fewer than 150 times, up to 30. Where tokens are single
    /// characters, there are 12 at least. Done again, it changes nothing.
    pub fn fit_to(&mut self, part: Extent) {
        if self.min_steps == 0 {
            return;
        }
        let Extent { sentences, tokens, entities, types, .. } = part;
        let an_epoch = |c: &Self| sentences.div_ceil(c.batch).div_ceil(c.accumulate).max(1);
        if part.is_of_characters() {
            self.epochs = self.epochs.max(CHARACTER_EPOCHS);
        }
        let smallest = (SMALLEST_BATCH_TOKENS * sentences / tokens.max(1)).clamp(1, SMALLEST_BATCH);
        while self.epochs as usize * an_epoch(self) < self.min_steps && self.batch >= 2 * smallest {
            self.batch /= 2;
        }
        let to_reach = |steps: usize, most: usize| steps.div_ceil(an_epoch(self)).min(most);
        let enough = to_reach(self.min_steps, ENOUGH_EPOCHS);
        let fewest = to_reach(self.min_steps.min(FEWEST_STEPS), MOST_EPOCHS);
        let shown = (FEWEST_SHOWN * types).div_ceil(entities.max(1)).min(MOST_EPOCHS);
        self.epochs = self.epochs.max(enough.max(fewest).max(shown) as u32);
    }
}
