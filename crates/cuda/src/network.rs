//! The whole network on a machine: weights and moments stay there, batches come and losses or tags go.
//!
//! ```text
//! (1)  x   = Σ rows of the word         (2)  x += v W_vᵀ      pretrained vectors
//! (3)  x   = [x  chars]                 what its letters spell
//! (4)  x   = layer(x), each direction under its own dropout mask; with residual x += layer(x)
//! (5)  s   = dense(x ⊙ m) + b           (6)  s += Σ rows of the features around the token
//! (7)  L   = head(s, tags)
//! (7')–(1') the same from the bottom up, then Adam
//! ```
//!
//! The same equations as `nn::tagger`, over the batch as a whole where the CPU has shards. Here is what lies in
//! memory; (1) to (6) and back stand in `forward`, (7) and Adam in `finish`.

use std::ops::Range;

use crate::arguments::{Best, Viterbi};
use crate::batch::At;
use crate::description::Places;
use crate::memory::Span;
use crate::{
    Batch, CudaError, Description, Engine, Head, Launch, Machine, Noise, Outcome, Rates, Weights,
    Which,
};

/// Weights that belong together, with their moments and average.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    pub kept: [Span; 4],
    pub width: usize,
    /// The dense gradient, if the group has one.
    pub grads: Span,
}

/// A network on a machine.
pub struct Network {
    pub(crate) engine: Engine,
    pub(crate) description: Description,
    pub(crate) places: Places,
    /// The weights of each of the networks that tag together; of one, if it is trained.
    pub(crate) members: Vec<[Group; 4]>,
    /// The one that is worked with.
    pub(crate) member: usize,
    /// What the rules forbid, for the loss of a CRF.
    pub(crate) forbidden: Span,
    /// What Viterbi adds up; none if each token is tagged by itself.
    pub(crate) potentials: Span,
    pub(crate) tag_weights: Span,
    pub(crate) status: Span,
    /// Two batches: one that is worked on, one that is on its way.
    staged: [(Span, Batch); 2],
}

pub(crate) const WORDS: usize = 0;
pub(crate) const WIDE: usize = 1;
pub(crate) const VECTORS: usize = 2;
pub(crate) const REST: usize = 3;

/// Bytes of shared memory a tag that the CRF needs beside its transitions; Viterbi needs fewer.
pub(crate) const TAG_BYTES: usize = 28;

/// Threads that share a tag, and threads of a block at most: in the loss of a CRF, in Viterbi.
pub(crate) const CRF_THREADS: [usize; 2] = [4, 256];
const VITERBI_THREADS: [usize; 2] = [1, 128];

pub(crate) type Done = Result<(), CudaError>;

/// What is asked of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its best tags.
    pub tags: bool,
    /// Its scores.
    pub scores: bool,
}

/// What a batch was given, laid out as its tokens are; empty where it was not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Given {
    /// (N)
    pub tags: Vec<u32>,
    /// (N, K)
    pub scores: Vec<f32>,
}

impl Network {
    /// Memory for a network to be trained, with an average of the weights if `average`. Weights and moments
    /// are to be written.
    ///
    /// # Errors
    /// If there are too many tags, or memory is short.
    pub fn new(
        machine: Box<dyn Machine>,
        description: Description,
        average: bool,
    ) -> Result<Self, CudaError> {
        let mut n = Self::empty(machine, description)?;
        n.members = vec![n.groups(3 + usize::from(average))?];
        n.members[0][REST].grads = Span::new(&mut *n.engine.machine, n.places.len)?;
        if n.description.head == Head::Crf {
            let k = n.description.n_tags;
            let free = || vec![0.0; k * (k + 2)];
            let forbidden = n.description.forbidden.clone().unwrap_or_else(free);
            n.forbidden = n.constants(&forbidden)?;
        }
        if let Some(weights) = n.description.tag_weights.clone() {
            n.tag_weights = n.constants(&weights)?;
        }
        n.status = Span::new(&mut *n.engine.machine, 8)?;
        Ok(n)
    }

    /// Memory for networks of one shape that tag together, by the mean of their scores, along the best path of
    /// these potentials of transitions (K, K), starts (K) and ends (K), −∞ for what is forbidden; without
    /// them, each token by itself. Weights are to be written.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn to_tag(
        machine: Box<dyn Machine>,
        description: Description,
        members: usize,
        potentials: Option<&[f32]>,
    ) -> Result<Self, CudaError> {
        let mut n = Self::empty(machine, description)?;
        for _ in 0..members {
            let groups = n.groups(1)?;
            n.members.push(groups);
        }
        if let Some(potentials) = potentials {
            let k = n.description.n_tags;
            assert_eq!(potentials.len(), k * (k + 2), "potentials of {k} tags");
            n.potentials = n.constants(potentials)?;
        }
        Ok(n)
    }

    fn empty(machine: Box<dyn Machine>, description: Description) -> Result<Self, CudaError> {
        // Known before anything is trained: every head keeps some rows of scores in a block's memory.
        tag_launch(
            [""; 2],
            VITERBI_THREADS,
            1,
            description.n_tags,
            [0, TAG_BYTES * description.n_tags],
            machine.shared_memory(),
        )?;
        Ok(Self {
            engine: Engine::new(machine),
            places: description.places(),
            description,
            members: Vec::new(),
            member: 0,
            forbidden: Span::NONE,
            potentials: Span::NONE,
            tag_weights: Span::NONE,
            status: Span::NONE,
            staged: Default::default(),
        })
    }

    /// Memory for all weights, and so many numbers a weight.
    fn groups(&mut self, kept: usize) -> Result<[Group; 4], CudaError> {
        let d = &self.description;
        let vectors = d
            .vectors
            .map_or((0, 0, 0), |v| (v.rows * v.columns, v.columns, if v.tuned { kept } else { 1 }));
        let sizes = [
            (d.table_rows() * d.embedding, d.embedding, kept),
            (d.wide.map_or(0, |w| w.rows * d.n_tags), d.n_tags, kept),
            vectors,
            (self.places.len, 1, kept),
        ];
        let mut groups = [Group { kept: [Span::NONE; 4], width: 0, grads: Span::NONE }; 4];
        for (group, (len, width, kept)) in groups.iter_mut().zip(sizes) {
            group.width = width;
            for span in &mut group.kept[..kept] {
                *span = Span::new(&mut *self.engine.machine, len)?;
            }
        }
        Ok(groups)
    }

    fn constants(&mut self, numbers: &[f32]) -> Result<Span, CudaError> {
        let span = Span::new(&mut *self.engine.machine, numbers.len())?;
        self.engine.machine.write(span.at, &bytes_of(numbers))?;
        Ok(span)
    }

    /// What it runs on.
    pub fn machine(&self) -> &dyn Machine {
        &*self.engine.machine
    }

    /// Kernels launched so far.
    pub fn launches(&self) -> usize {
        self.engine.launches
    }

    /// Copies weights, moments or the average to the machine.
    ///
    /// # Panics
    /// If there are more or fewer numbers than the description says.
    pub fn write(&mut self, which: Which, from: &Weights<&[f32]>) -> Done {
        self.write_member(0, which, from)
    }

    /// As [`Network::write`], for one of several that tag together.
    pub fn write_member(&mut self, member: usize, which: Which, from: &Weights<&[f32]>) -> Done {
        let rest = from.rest.concat();
        let parts = [from.words, from.wide, from.vectors, &rest];
        for (group, from) in self.members[member].iter().zip(parts) {
            let span = group.kept[which as usize];
            assert_eq!(span.len, from.len(), "{which:?} of a group");
            self.engine.machine.write(span.at, &bytes_of(from))?;
        }
        Ok(())
    }

    /// Copies them back, groups without a place to go to left out.
    ///
    /// # Panics
    /// As [`Network::write`].
    pub fn read(&mut self, which: Which, to: Weights<&mut [f32]>) -> Done {
        let span = |n: &Self, group: usize| n.members[0][group].kept[which as usize];
        for (group, to) in [(WORDS, to.words), (WIDE, to.wide), (VECTORS, to.vectors)] {
            if !to.is_empty() {
                to.copy_from_slice(&self.read_span(span(self, group))?);
            }
        }
        let all = self.read_span(span(self, REST))?;
        let mut rest = &all[..];
        for to in to.rest {
            let (here, after) = rest.split_at(to.len());
            to.copy_from_slice(here);
            rest = after;
        }
        assert!(rest.is_empty(), "{} numbers too many", rest.len());
        Ok(())
    }

    pub(crate) fn read_span(&mut self, span: Span) -> Result<Vec<f32>, CudaError> {
        let mut bytes = vec![0; 4 * span.len];
        self.engine.machine.read(span.at, &mut bytes)?;
        Ok(numbers_of(&bytes))
    }

    /// Sends a batch to `slot` 0 or 1 while the other one is worked on.
    pub fn stage(&mut self, slot: usize, batch: Batch) -> Done {
        let (span, old) = &mut self.staged[slot];
        if span.len < batch.numbers.len() {
            if span.len > 0 {
                self.engine.machine.free(span.at);
            }
            let len = match self.engine.machine.chunk() {
                0 => batch.numbers.len(),
                _ => batch.numbers.len().next_power_of_two(),
            };
            *span = Span::NONE;
            *span = Span::new(&mut *self.engine.machine, len)?;
        }
        *old = batch;
        let bytes: Vec<u8> = old.numbers.iter().flat_map(|n| n.to_ne_bytes()).collect();
        self.engine.machine.stage(slot, span.at, &bytes)
    }

    /// Forward, backward and Adam for the batch in `slot`. Returns before it is done: see
    /// [`Network::outcome`]. A batch whose loss or gradient is not finite moves nothing.
    pub fn step(&mut self, slot: usize, noise: Noise, rates: &Rates) -> Done {
        self.with_batch(slot, |network, at| network.step_of(at, noise, rates))
    }

    /// What `work` makes of the batch in `slot`, once it is there.
    pub(crate) fn with_batch<T>(
        &mut self,
        slot: usize,
        work: impl FnOnce(&mut Self, &At<'_>) -> Result<T, CudaError>,
    ) -> Result<T, CudaError> {
        self.engine.machine.staged()?;
        self.engine.reset();
        let (place, batch) = std::mem::take(&mut self.staged[slot]);
        let done = work(self, &At { place, batch: &batch });
        self.staged[slot] = (place, batch);
        done
    }

    /// Waits for the last step.
    pub fn outcome(&mut self) -> Result<Outcome, CudaError> {
        let mut bytes = [0; 32];
        self.engine.machine.read(self.status.at, &mut bytes)?;
        let double = |at: usize| f64::from_ne_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let (loss, squared_norm) = (double(0), double(8));
        Ok(Outcome { loss, squared_norm, finite: word(20) == 1, right: word(24) as usize })
    }

    /// What is asked of a batch, by the mean of all members' scores.
    ///
    /// # Errors
    /// If memory is short or the driver fails.
    pub fn tag(&mut self, batch: Batch, asked: Asked) -> Result<Given, CudaError> {
        self.stage(0, batch)?;
        self.with_batch(0, |network, at| {
            let scores = network.mean_scores(at)?;
            let mut given = Given::default();
            if asked.tags {
                let tags = match network.potentials {
                    Span::NONE => network.best_tags(scores)?,
                    _ => network.viterbi(at, scores)?,
                };
                let tags = network.read_span(tags)?;
                given.tags = tags.into_iter().map(f32::to_bits).collect();
            }
            if asked.scores {
                given.scores = network.read_span(scores)?;
            }
            Ok(given)
        })
    }

    fn mean_scores(&mut self, at: &At<'_>) -> Result<Span, CudaError> {
        let n = self.members.len();
        let mut sum = Span::NONE;
        for member in 0..n {
            self.member = member;
            let (scores, _) = self.forward(at, None)?;
            match member {
                0 => sum = scores,
                _ => {
                    let divisor = if member + 1 == n { n as f32 } else { 1.0 };
                    self.engine.add(scores, sum, divisor, true)?;
                }
            }
        }
        self.member = 0;
        Ok(sum)
    }

    pub(crate) fn group(&self, which: usize) -> &Group {
        &self.members[self.member][which]
    }

    pub(crate) fn rest(&self, which: Which, place: &Range<usize>) -> Span {
        self.group(REST).kept[which as usize].part(place.start, place.len())
    }

    /// The best tag of each row of scores by itself.
    pub(crate) fn best_tags(&mut self, scores: Span) -> Result<Span, CudaError> {
        let k = self.description.n_tags;
        let rows = scores.len / k;
        let tags = self.engine.take(rows)?;
        let floor = match self.description.head {
            Head::KerasRelu => 0.0, // behind a ReLU all scores below 0 are equal
            _ => f32::NEG_INFINITY,
        };
        let (scores, tags_at) = (scores.at, tags.at);
        let args = Best { scores, tags: tags_at, rows: rows as u32, n_tags: k as u32, floor };
        self.engine.each("best_tags", rows, args)?;
        Ok(tags)
    }

    pub(crate) fn viterbi(&mut self, at: &At<'_>, scores: Span) -> Result<Span, CudaError> {
        let (n, k) = (at.batch.tokens(), self.description.n_tags);
        let (tags, from) = (self.engine.take(n)?, self.engine.take(n * k)?);
        let args = Viterbi {
            potentials: self.potentials.at,
            scores: scores.at,
            starts: at.span(&at.batch.starts).at,
            lengths: at.span(&at.batch.lengths).at,
            from: from.at,
            tags: tags.at,
            n_tags: k as u32,
        };
        let (sentences, room) = (at.batch.sentences(), self.engine.machine.shared_memory());
        let (kernels, shared) = (["viterbi", "viterbi_wide"], [4 * k * k, 8 * 2 * k]);
        let (kernel, launch) = tag_launch(kernels, VITERBI_THREADS, sentences, k, shared, room)?;
        self.engine.launch(kernel, launch, args)?;
        Ok(tags)
    }
}

/// A block a sentence, `each` threads a tag and `most` in all; `kernels`: the one that keeps `shared[0]` bytes of transitions in
/// shared memory, which has `room`, and the one that has no need to.
///
/// # Errors
/// If not even the `shared[1]` bytes that both need are there.
pub(crate) fn tag_launch(
    kernels: [&'static str; 2],
    [each, most]: [usize; 2],
    sentences: usize,
    n_tags: usize,
    shared: [usize; 2],
    room: usize,
) -> Result<(&'static str, Launch), CudaError> {
    let [transitions, both] = shared;
    let block = (each * n_tags).next_multiple_of(32).min(most) as u32;
    let grid = [sentences as u32, 1, 1];
    if both > room {
        return Err(CudaError::NoKernel(format!("{n_tags} tags")));
    }
    Ok(match transitions + both <= room {
        true => (kernels[0], Launch { grid, block, shared: transitions + both }),
        false => (kernels[1], Launch { grid, block, shared: both }),
    })
}

pub(crate) fn bytes_of(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

pub(crate) fn numbers_of(bytes: &[u8]) -> Vec<f32> {
    let number = |b: &[u8]| f32::from_ne_bytes(b.try_into().expect("4 bytes"));
    bytes.chunks_exact(4).map(number).collect()
}
